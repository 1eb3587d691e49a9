-- Adds the trips whose ids may be those of trips that are in the month's table already.
--
-- Trips of one file that agree in all values of the id get different ids, the same as in every warehouse: in the order
-- of all columns, the first keeps the plain id, and the n-th gets md5(id || '#n'). Of trips that agree in all columns,
-- the one that is in the table counts as the first, so that it need not be written again: repeats of whole rows, which
-- some records are full of, cost no update.
--
-- ANALYZE lets the planner know how few trips these are.
ANALYZE "held_back";

CREATE TEMPORARY TABLE "numbered_trips" ON COMMIT DROP AS
SELECT
    "is_held_back",
    "place",
    "ordinal",
    CASE
        WHEN "ordinal" = 1 THEN "unique_row_id"
        ELSE CAST(md5(replace(CAST("unique_row_id" AS text), '-', '') || '#' || "ordinal") AS uuid)
    END AS "unique_row_id"
FROM (
    SELECT
        "is_held_back",
        "place",
        "unique_row_id",
        row_number() OVER (
            PARTITION BY "unique_row_id"
            ORDER BY
{% for column in taxi.columns %}
                {{ dialect.column(column.name) }}{{ ' COLLATE "C"' if column.kind == "text" }} NULLS FIRST,
{% endfor %}
                "is_held_back"
        ) AS "ordinal"
    FROM (
        SELECT false AS "is_held_back", "ctid" AS "place", *
        FROM {{ table | identifier }}
        WHERE "unique_row_id" IN (SELECT "unique_row_id" FROM "held_back")
        UNION ALL
        SELECT true AS "is_held_back", "ctid" AS "place", *
        FROM "held_back"
    ) AS "alike"
) AS "numbered";

ANALYZE "numbered_trips";

UPDATE {{ table | identifier }} AS "trip"
SET "unique_row_id" = "numbered"."unique_row_id"
FROM "numbered_trips" AS "numbered"
WHERE "trip"."ctid" = "numbered"."place" AND NOT "numbered"."is_held_back" AND "numbered"."ordinal" > 1;

INSERT INTO {{ table | identifier }} (
    "unique_row_id",
{% for column in columns %}
    {{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
)
SELECT
    "numbered"."unique_row_id",
{% for column in columns %}
    "trip".{{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM "held_back" AS "trip"
JOIN "numbered_trips" AS "numbered" ON "trip"."ctid" = "numbered"."place" AND "numbered"."is_held_back"
