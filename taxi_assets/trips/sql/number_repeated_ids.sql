-- Trips of one file that agree in everything the id is made of get ids of their own: the first keeps the plain id,
-- the n-th gets md5(id || '#n'). The order is that of all columns, so it depends on the rows and not on their place
-- in the file. Grouping by a 64-bit hash keeps memory small; the window function then looks at the true ids.
UPDATE {{ table | identifier }} AS "trips"
SET "unique_row_id" = md5("repeated"."unique_row_id" || '#' || "repeated"."ordinal")
FROM (
    SELECT
        "place",
        "unique_row_id",
        row_number() OVER (
            PARTITION BY "unique_row_id"
            ORDER BY
{% for column in taxi.columns %}
                {{ column.name | identifier }} NULLS FIRST{{ "," if not loop.last }}
{% endfor %}
        ) AS "ordinal"
    FROM (
        SELECT "rowid" AS "place", *
        FROM {{ table | identifier }}
        WHERE hash("unique_row_id") IN (
            SELECT hash("unique_row_id")
            FROM {{ table | identifier }}
            GROUP BY ALL
            HAVING count(*) > 1
        )
    )
) AS "repeated"
WHERE "trips"."rowid" = "repeated"."place" AND "repeated"."ordinal" > 1
