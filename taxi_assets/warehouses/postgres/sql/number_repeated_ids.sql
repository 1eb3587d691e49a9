-- Trips of one file that agree in all values of the id get different ids, the same as in every warehouse: in the order
-- of all columns, the first keeps the plain id, and the n-th gets md5(id || '#n').
--
-- These few rows are found in one pass, and then updated by their place in the table. ANALYZE lets the planner know how
-- few they are, so that it does not read the whole table again.
CREATE TEMPORARY TABLE "renumbered_trips" ON COMMIT DROP AS
SELECT
    "place",
    CAST(md5(replace(CAST("unique_row_id" AS text), '-', '') || '#' || "ordinal") AS uuid) AS "unique_row_id"
FROM (
    SELECT
        "ctid" AS "place",
        "unique_row_id",
        row_number() OVER (
            PARTITION BY "unique_row_id"
            ORDER BY
{% for column in taxi.columns %}
                {{ dialect.column(column.name) }}{{ ' COLLATE "C"' if column.kind == "text" }} NULLS FIRST{{ "," if not loop.last }}
{% endfor %}
        ) AS "ordinal"
    FROM {{ table | identifier }}
    WHERE "unique_row_id" IN (SELECT "unique_row_id" FROM "repeated_ids")
) AS "numbered"
WHERE "ordinal" > 1;

ANALYZE "renumbered_trips";

UPDATE {{ table | identifier }} AS "trip"
SET "unique_row_id" = "renumbered"."unique_row_id"
FROM "renumbered_trips" AS "renumbered"
WHERE "trip"."ctid" = "renumbered"."place"
