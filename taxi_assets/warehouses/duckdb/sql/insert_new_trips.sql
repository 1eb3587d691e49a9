-- Inserts the month's trips that are not in the main table yet.
INSERT INTO {{ main | identifier }} BY NAME
SELECT
{% for name in all_columns %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ month_table | identifier }} AS "month"
WHERE NOT EXISTS (
    FROM {{ main | identifier }} AS "main"
    WHERE "main"."file_month" = $file_month
        AND "main"."unique_row_id" = "month"."unique_row_id"
)
