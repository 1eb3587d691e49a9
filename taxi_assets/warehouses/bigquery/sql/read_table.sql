-- What an asset asked for.
SELECT
{% for name in columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table }}
{% if days is not none %}
WHERE `file_month` IN ({% for day in days %}DATE {{ day | escaped }}{{ ", " if not loop.last }}{% endfor %})
{% endif %}
