-- Trips of one file that agree in everything the id is made of get ids of their own: the first keeps the plain id,
-- the n-th gets md5(id || '#n'). The order is that of all columns, so it depends on the rows and not on their place
-- in the file. Grouping by a 64-bit hash keeps memory small; the window function then looks at the true ids.
--
-- The few rows are taken out and put back, because an update would make DuckDB rewrite whole columns.
CREATE OR REPLACE TEMPORARY TABLE "renumbered_trips" AS
SELECT
    "place",
    md5("unique_row_id" || '#' || "ordinal") AS "unique_row_id",
    "filename",
    "file_month",
{% for column in taxi.columns %}
    {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM (
    SELECT
        "rowid" AS "place",
        *,
        row_number() OVER (
            PARTITION BY "unique_row_id"
            ORDER BY
{% for column in taxi.columns %}
                {{ column.name | identifier }} NULLS FIRST{{ "," if not loop.last }}
{% endfor %}
        ) AS "ordinal"
    FROM {{ table | identifier }}
    WHERE hash("unique_row_id") IN (
        SELECT hash("unique_row_id")
        FROM {{ table | identifier }}
        GROUP BY ALL
        HAVING count(*) > 1
    )
)
WHERE "ordinal" > 1;

DELETE FROM {{ table | identifier }}
WHERE "rowid" IN (SELECT "place" FROM "renumbered_trips");

INSERT INTO {{ table | identifier }} BY NAME
SELECT * EXCLUDE ("place") FROM "renumbered_trips";

DROP TABLE "renumbered_trips";
