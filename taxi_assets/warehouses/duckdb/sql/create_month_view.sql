-- After the merge, the month is stored in the main table only, and its own name is a view.
CREATE VIEW {{ month_table | identifier }} AS
SELECT
{% for name in all_columns %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ main | identifier }}
WHERE "file_month" = {{ first_day }}
