-- How many rows of a month are new, have other values, and are gone. Rows are compared by the hash of their values, so
-- that those that are kept for the comparison are small.
{% macro digests(trips) %}
SELECT
        CAST("unique_row_id" AS UUID) AS "id",
        hash({% for name in value_columns %}{{ name | identifier }}{{ ", " if not loop.last }}{% endfor %}) AS "digest"
    FROM (
{{ trips }}
    )
{%- endmacro %}
SELECT
    count(*) FILTER (WHERE "old"."id" IS NULL),
    count(*) FILTER (WHERE "old"."digest" <> "new"."digest"),
    count(*) FILTER (WHERE "new"."id" IS NULL)
FROM (
    {{ digests(new) }}
) AS "new"
FULL JOIN (
    {{ digests(old) }}
) AS "old" ON "new"."id" = "old"."id"
