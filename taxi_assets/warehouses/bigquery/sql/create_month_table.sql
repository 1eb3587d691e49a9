{% from "tables.sql" import column_definitions, ours with context %}
{% from "values.sql" import is_unchanged, shortest_text, text_in_csv, text_in_parquet, typed %}
-- One month of {{ taxi.title | lower }} trips, typed and with ids, from the external table over its raw file.
--
-- Values of a Parquet file have types already, and are converted to the text that a CSV would have.
-- A number must be unchanged in its final type, and a date and time must read back as it was written. Otherwise the
-- statement fails, with the column and the value. The texts for ids are composed from integers, because systems differ
-- in how they cast a fraction to text.
CREATE OR REPLACE TABLE {{ table(staging_table(taxi, month)) }} (
{{ column_definitions(columns_of(taxi)) }})
OPTIONS (
    {{ ours(taxi.title ~ " trips of " ~ month ~ ", not merged yet.") }}
)
AS
WITH `texts` AS (
    SELECT
{% for column in taxi.columns %}
        {% if column.name not in header %}CAST(NULL AS STRING){% elif is_parquet %}{{ text_in_parquet(column.kind, types.get(column.name | lower), column.name | identifier) }}{% else %}{{ text_in_csv(column.name | identifier) }}{% endif %} AS {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
    FROM {{ table(external_table(taxi, month)) }}
),
`trips` AS (
    SELECT
{% for column in taxi.columns %}
{% set text = column.name | identifier %}
        CASE
            WHEN {{ text }} IS NULL THEN NULL
            WHEN {{ is_unchanged(column.kind, text, rounding_error, not_text) }}
            THEN {{ typed(column.kind, text) }}
            ELSE ERROR(CONCAT({{ (refusal ~ column.name ~ ": “") | literal }}, {{ text }}, '”'))
        END AS {{ text }}{{ "," if not loop.last }}
{% endfor %}
    FROM `texts`
),
`identified` AS (
    SELECT
        TO_HEX(MD5(CONCAT(
{% for column in taxi.identity_columns %}
            COALESCE({{ shortest_text(column.kind, column.name | identifier) }}, ''){{ "," if not loop.last }}
{% endfor %}
        ))) AS `plain_id`,
        *
    FROM `trips`
),
-- Trips of one file that agree in all values of the id get different ids: in the order of all columns, the first keeps
-- the plain id, and the n-th gets md5(id || '#n').
`numbered` AS (
    SELECT
        ROW_NUMBER() OVER (
            PARTITION BY `plain_id`
            ORDER BY
{% for column in taxi.columns %}
                {{ column.name | identifier }} ASC NULLS FIRST{{ "," if not loop.last }}
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
    {{ filename | literal }} AS `filename`,
    {{ day(month.first_day) }} AS `file_month`,
{% for column in taxi.columns %}
    {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM `numbered`
