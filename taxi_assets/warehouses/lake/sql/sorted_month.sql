-- A month's rows in the order of pickups, so that row groups have few days each. Rows of the same moment are in the order
-- of their ids, so that the same rows make the same file.
SELECT
{% for name in columns %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table | identifier }}
ORDER BY {{ pickup | identifier }}, "unique_row_id"
