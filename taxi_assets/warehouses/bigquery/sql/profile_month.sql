-- Everything that the checks want to know about one month, in one pass. Sixty bits are summed as NUMERIC, as a month's
-- sum is too large for INT64.
SELECT
    COUNT(*) AS `rows`,
    COUNT(*) - COUNT(DISTINCT `unique_row_id`) AS `repeated_ids`,
    COALESCE(SUM(CAST(CAST(CONCAT('0x', SUBSTR(`unique_row_id`, 1, 15)) AS INT64) AS NUMERIC)), 0) AS `id_digest`,
    COUNTIF(
        {{ taxi.pickup | backticks }} < DATETIME {{ (first_day ~ " 00:00:00") | escaped }}
        OR {{ taxi.pickup | backticks }} >= DATETIME {{ (next_month ~ " 00:00:00") | escaped }}
    ) AS `outside_month`,
    COUNTIF({{ taxi.dropoff | backticks }} < {{ taxi.pickup | backticks }}) AS `backwards`,
    COUNTIF(
        {{ taxi.dropoff | backticks }} > DATETIME_ADD({{ taxi.pickup | backticks }}, INTERVAL 24 HOUR)
    ) AS `longer_than_a_day`,
{% for column in taxi.columns if column.required %}
    COUNTIF({{ column.name | backticks }} IS NULL) AS {{ ("missing__" ~ column.name) | backticks }},
{% endfor %}
{% for column in taxi.columns if column.minimum is not none %}
    COUNTIF({{ column.name | backticks }} < {{ column.minimum }}) AS {{ ("too_low__" ~ column.name) | backticks }},
{% endfor %}
{% for column in taxi.columns if column.maximum is not none %}
    COUNTIF({{ column.name | backticks }} > {{ column.maximum }}) AS {{ ("too_high__" ~ column.name) | backticks }},
{% endfor %}
{% for column in taxi.columns if column.kind == "decimal" %}
    SUM({{ column.name | backticks }}) AS {{ ("sum__" ~ column.name) | backticks }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table }}
WHERE `file_month` = DATE {{ first_day | escaped }}
