-- Counts the rows of a month that is to be swapped in, and how they differ from those in the main table.
SELECT
    count("new"."unique_row_id") AS "rows",
    count(*) FILTER (WHERE "old"."unique_row_id" IS NULL) AS "inserted",
    count(*) FILTER (
        WHERE "old"."unique_row_id" = "new"."unique_row_id"
            AND (
{% for name in value_columns %}
                {{ "OR " if not loop.first }}"old".{{ name | identifier }} IS DISTINCT FROM "new".{{ name | identifier }}
{% endfor %}
            )
    ) AS "updated",
    count(*) FILTER (WHERE "new"."unique_row_id" IS NULL) AS "deleted"
FROM {{ old | identifier }} AS "old"
FULL JOIN {{ new | identifier }} AS "new" USING ("unique_row_id")
