-- Updates the month's trips whose other values are corrected in the file.
UPDATE {{ main | identifier }} AS "main"
SET
{% for name in value_columns %}
    {{ name | identifier }} = "month".{{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ month_table | identifier }} AS "month"
WHERE "main"."file_month" = $file_month
    AND "main"."unique_row_id" = "month"."unique_row_id"
    AND (
{% for name in value_columns %}
        {{ "OR " if not loop.first }}"main".{{ name | identifier }} IS DISTINCT FROM "month".{{ name | identifier }}
{% endfor %}
    )
