-- Puts rows in the place of some months of a table, in one statement.
MERGE INTO {{ table }} AS `kept`
USING {{ incoming }} AS `incoming`
ON FALSE
WHEN NOT MATCHED BY SOURCE
    AND `kept`.`file_month` IN ({% for day in days %}DATE {{ day | escaped }}{{ ", " if not loop.last }}{% endfor %})
THEN DELETE
WHEN NOT MATCHED BY TARGET
THEN INSERT (
{% for name in columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
) VALUES (
{% for name in columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
)
