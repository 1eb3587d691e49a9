-- Makes the month's partition of main exactly the monthly table. Every clause names the month as a constant, so that
-- BigQuery reads and bills this one partition, however many there are.
MERGE INTO {{ main }} AS `main`
USING {{ month_table }} AS `month`
ON `main`.`file_month` = DATE {{ file_month | escaped }}
    AND `main`.`unique_row_id` = `month`.`unique_row_id`
WHEN MATCHED
    AND `main`.`file_month` = DATE {{ file_month | escaped }}
    AND (
{% for name in value_columns %}
        {{ "OR " if not loop.first }}`main`.{{ name | backticks }} IS DISTINCT FROM `month`.{{ name | backticks }}
{% endfor %}
    )
THEN UPDATE SET
{% for name in value_columns %}
    {{ name | backticks }} = `month`.{{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
WHEN NOT MATCHED BY TARGET
    AND `month`.`file_month` = DATE {{ file_month | escaped }}
THEN INSERT (
{% for name in all_columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
) VALUES (
{% for name in all_columns %}
    `month`.{{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
)
WHEN NOT MATCHED BY SOURCE
    AND `main`.`file_month` = DATE {{ file_month | escaped }}
THEN DELETE
