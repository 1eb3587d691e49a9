-- Replaces some months of a table with the incoming rows, in one statement.
MERGE INTO {{ table(name) }} AS `kept`
USING {{ table(incoming) }} AS `incoming`
ON FALSE
WHEN NOT MATCHED BY SOURCE
    AND `kept`.`file_month` IN ({% for first_day in days %}{{ day(first_day) }}{{ ", " if not loop.last }}{% endfor %})
THEN DELETE
WHEN NOT MATCHED BY TARGET
THEN INSERT (
{% for column in columns %}
    {{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
) VALUES (
{% for column in columns %}
    {{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
)
