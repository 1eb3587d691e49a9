-- Everything that the checks want to know about one month, in one pass.
SELECT
    count(*) AS "rows",
    count(*) - count(DISTINCT "unique_row_id") AS "repeated_ids",
    coalesce(sum(TRY_CAST('0x' || left("unique_row_id", 15) AS BIGINT)), 0) AS "id_digest",
    count(*) FILTER (
        {{ taxi.pickup | identifier }} < $file_month
        OR {{ taxi.pickup | identifier }} >= $file_month + INTERVAL 1 MONTH
    ) AS "outside_month",
    count(*) FILTER ({{ taxi.dropoff | identifier }} < {{ taxi.pickup | identifier }}) AS "backwards",
    count(*) FILTER (
        {{ taxi.dropoff | identifier }} > {{ taxi.pickup | identifier }} + INTERVAL 24 HOUR
    ) AS "longer_than_a_day",
{% for column in taxi.columns if column.required %}
    count(*) FILTER ({{ column.name | identifier }} IS NULL) AS {{ ("missing " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.minimum is not none %}
    count(*) FILTER (
        {{ column.name | identifier }} < {{ column.minimum }}
    ) AS {{ ("too_low " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.maximum is not none %}
    count(*) FILTER (
        {{ column.name | identifier }} > {{ column.maximum }}
    ) AS {{ ("too_high " ~ column.name) | identifier }},
{% endfor %}
{% for column in taxi.columns if column.kind == "decimal" %}
    sum({{ column.name | identifier }}) AS {{ ("sum " ~ column.name) | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table | identifier }}
WHERE "file_month" = $file_month
