-- Reads a table, or some months of it, for an asset.
SELECT
{% for column in columns %}
    {{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table(name) }}
{% if days is not none %}
WHERE `file_month` IN ({% for first_day in days %}{{ day(first_day) }}{{ ", " if not loop.last }}{% endfor %})
{% endif %}
