-- Trips of one file that agree in everything the id is made of get ids of their own, exactly as in every warehouse: in
-- the order of all columns the first keeps the plain id, the n-th gets md5(id || '#n').
UPDATE {{ table | identifier }} AS "trip"
SET "unique_row_id" = CAST(md5(replace(CAST("unique_row_id" AS text), '-', '') || '#' || "ordinal") AS uuid)
FROM (
    SELECT
        "ctid" AS "place",
        row_number() OVER (
            PARTITION BY "unique_row_id"
            ORDER BY
{% for column in taxi.columns %}
                {{ column.name | lower | identifier }}{{ ' COLLATE "C"' if column.kind == "text" }} NULLS FIRST{{ "," if not loop.last }}
{% endfor %}
        ) AS "ordinal"
    FROM {{ table | identifier }}
    WHERE "unique_row_id" IN (SELECT "unique_row_id" FROM "repeated_ids")
) AS "numbered"
WHERE "trip"."ctid" = "numbered"."place" AND "numbered"."ordinal" > 1
