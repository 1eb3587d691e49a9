-- Once merged, the month is kept in the main table only; its own name stays as a view.
CREATE VIEW {{ month_table | identifier }} AS
SELECT
{% for name in all_columns %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ main | identifier }}
WHERE "file_month" = {{ first_day }}
