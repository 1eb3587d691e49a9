-- Everything that the checks want to know about one month, in one pass.
SELECT
    count(*) AS "rows",
    count(*) - count(DISTINCT "unique_row_id") AS "repeated_ids",
    coalesce(sum(CAST(CAST('x' || substr(replace(CAST("unique_row_id" AS text), '-', ''), 1, 15) AS bit(60)) AS bigint)), 0)
        AS "id_digest",
    count(*) FILTER (
        WHERE {{ taxi.pickup | lower | identifier }} < %(file_month)s
            OR {{ taxi.pickup | lower | identifier }} >= %(file_month)s + INTERVAL '1 month'
    ) AS "outside_month",
    count(*) FILTER (
        WHERE {{ taxi.dropoff | lower | identifier }} < {{ taxi.pickup | lower | identifier }}
    ) AS "backwards",
    count(*) FILTER (
        WHERE {{ taxi.dropoff | lower | identifier }} > {{ taxi.pickup | lower | identifier }} + INTERVAL '24 hours'
    ) AS "longer_than_a_day",
{% for column in taxi.columns if column.required %}
    count(*) FILTER (WHERE {{ column.name | lower | identifier }} IS NULL) AS {{ ("missing " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.minimum is not none %}
    count(*) FILTER (
        WHERE {{ column.name | lower | identifier }} < {{ column.minimum }}
    ) AS {{ ("too_low " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.maximum is not none %}
    count(*) FILTER (
        WHERE {{ column.name | lower | identifier }} > {{ column.maximum }}
    ) AS {{ ("too_high " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.kind == "decimal" %}
    sum({{ column.name | lower | identifier }}) AS {{ ("sum " ~ column.name) | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table | identifier }}
WHERE "file_month" = %(file_month)s
