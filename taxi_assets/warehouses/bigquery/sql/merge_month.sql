-- Makes the month's partition of the main table equal to the loaded table. Every clause contains the month as a
-- constant, so that BigQuery reads and bills only this partition, however many there are.
MERGE INTO {{ table(taxi.table) }} AS `main`
USING {{ table(loaded_table(taxi, month)) }} AS `month`
ON `main`.`file_month` = {{ day(month.first_day) }}
    AND `main`.`unique_row_id` = `month`.`unique_row_id`
WHEN MATCHED
    AND `main`.`file_month` = {{ day(month.first_day) }}
    AND (
{% for name in value_names_of(taxi) %}
        {{ "OR " if not loop.first }}`main`.{{ name | identifier }} IS DISTINCT FROM `month`.{{ name | identifier }}
{% endfor %}
    )
THEN UPDATE SET
{% for name in value_names_of(taxi) %}
    {{ name | identifier }} = `month`.{{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
WHEN NOT MATCHED BY TARGET
    AND `month`.`file_month` = {{ day(month.first_day) }}
THEN INSERT (
{% for name in names_of(taxi) %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
) VALUES (
{% for name in names_of(taxi) %}
    `month`.{{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
)
WHEN NOT MATCHED BY SOURCE
    AND `main`.`file_month` = {{ day(month.first_day) }}
THEN DELETE
