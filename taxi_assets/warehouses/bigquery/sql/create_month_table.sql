{% from "tables.sql" import column_definitions, ours %}
{% from "values.sql" import is_unchanged, shortest_text, text_in_csv, text_in_parquet, typed %}
-- One month of {{ taxi.title | lower }} trips, typed and with ids, from the external table over its raw file.
--
-- Values of a Parquet file have types already, and go through the text that a CSV would have.
-- A number must come out of its final type unchanged, and a date and time must read back as it was written; a value
-- that doesn't fails the statement with its column. The texts that ids are made of are put together from whole numbers,
-- since how a fraction is cast to text is not the same everywhere.
CREATE OR REPLACE TABLE {{ table }} (
{{ column_definitions(columns, required) }})
OPTIONS (
    {{ ours(description, labels) }}
)
AS
WITH `texts` AS (
    SELECT
{% for column in taxi.columns %}
        {% if column.name not in header %}CAST(NULL AS STRING){% elif is_parquet %}{{ text_in_parquet(column.kind, column.name | backticks) }}{% else %}{{ text_in_csv(column.name | backticks) }}{% endif %} AS {{ column.name | backticks }}{{ "," if not loop.last }}
{% endfor %}
    FROM {{ external_table }}
),
`trips` AS (
    SELECT
{% for column in taxi.columns %}
{% set text = column.name | backticks %}
        CASE
            WHEN {{ text }} IS NULL THEN NULL
            WHEN {{ is_unchanged(column.kind, text, rounding_error, not_text) }}
            THEN {{ typed(column.kind, text) }}
            ELSE ERROR(CONCAT({{ (refusal ~ column.name ~ ": “") | escaped }}, {{ text }}, '”'))
        END AS {{ text }}{{ "," if not loop.last }}
{% endfor %}
    FROM `texts`
),
`identified` AS (
    SELECT
        TO_HEX(MD5(CONCAT(
{% for column in identity %}
            COALESCE({{ shortest_text(column.kind, column.name | backticks) }}, ''){{ "," if not loop.last }}
{% endfor %}
        ))) AS `plain_id`,
        *
    FROM `trips`
),
-- Trips of one file that agree in everything the id is made of get ids of their own: the first keeps the plain id, the
-- n-th gets md5(id || '#n'), in the order of all columns.
`numbered` AS (
    SELECT
        ROW_NUMBER() OVER (
            PARTITION BY `plain_id`
            ORDER BY
{% for column in taxi.columns %}
                {{ column.name | backticks }} ASC NULLS FIRST{{ "," if not loop.last }}
{% endfor %}
        ) AS `ordinal`,
        *
    FROM `identified`
)
SELECT
    CASE
        WHEN `ordinal` = 1 THEN `plain_id`
        ELSE TO_HEX(MD5(CONCAT(`plain_id`, '#', CAST(`ordinal` AS STRING))))
    END AS `unique_row_id`,
    {{ filename | escaped }} AS `filename`,
    DATE {{ file_month | escaped }} AS `file_month`,
{% for column in taxi.columns %}
    {{ column.name | backticks }}{{ "," if not loop.last }}
{% endfor %}
FROM `numbered`
