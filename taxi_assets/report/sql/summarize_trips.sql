-- All that the report says about a taxi's trips, in one pass, since a server sends them again for each reading.
-- Each row belongs to one of four groupings, which "grouping" names. Pickups outside their file's month have no day,
-- weekday and hour here: they are counted among the problems, and would stretch every axis.
{% macro value(meaning) %}
{% set column = taxi.column_for(meaning) %}
{{ column.name | identifier if column else "NULL" }}
{%- endmacro %}
WITH "judged" AS (
    SELECT
        *,
        {{ taxi.pickup | identifier }} >= "file_month"
            AND {{ taxi.pickup | identifier }} < "file_month" + INTERVAL 1 MONTH AS "is_inside",
        CAST(0 AS BIGINT)
{% for rule in rules %}
            + CASE WHEN {{ rule.condition }} THEN {{ 2 ** loop.index0 }} ELSE 0 END
{% endfor %}
            AS "problems"
    FROM "trips"
),

"named" AS (
    SELECT
        "file_month",
        "filename",
        "problems",
        CASE WHEN "is_inside" THEN CAST({{ taxi.pickup | identifier }} AS DATE) END AS "day",
        CASE WHEN "is_inside" THEN isodow({{ taxi.pickup | identifier }}) END AS "weekday",
        CASE WHEN "is_inside" THEN hour({{ taxi.pickup | identifier }}) END AS "hour",
        CAST({{ value("pickup_zone") }} AS INTEGER) AS "zone",
        CAST({{ value("total") }} AS DECIMAL(14, 4)) AS "revenue",
        CAST({{ value("tip") }} AS DECIMAL(14, 4)) AS "tips",
        CAST({{ value("fare") }} AS DECIMAL(14, 4)) AS "fare",
        CAST({{ value("distance") }} AS DECIMAL(14, 4)) AS "miles",
        CAST(epoch({{ taxi.dropoff | identifier }} - {{ taxi.pickup | identifier }}) AS BIGINT) AS "seconds"
    FROM "judged"
)

SELECT
    CASE
        WHEN GROUPING("day") = 0 THEN 'day'
        WHEN GROUPING("hour") = 0 THEN 'hour'
        WHEN GROUPING("zone") = 0 THEN 'zone'
        ELSE 'problems'
    END AS "grouping",
    "file_month",
    "filename",
    "day",
    "weekday",
    "hour",
    "zone",
    "problems",
    count(*) AS "trips",
    sum("revenue") AS "revenue",
    sum("tips") AS "tips",
    sum("fare") AS "fare",
    count("fare") AS "fares",
    sum("miles") AS "miles",
    count("miles") AS "distances",
    sum("seconds") AS "seconds",
    count("seconds") AS "durations"
FROM "named"
GROUP BY GROUPING SETS (("day"), ("weekday", "hour"), ("zone"), ("file_month", "filename", "problems"))
