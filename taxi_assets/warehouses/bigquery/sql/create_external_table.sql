{% from "tables.sql" import ours with context %}
-- An external table over a month's raw file. The fields of a CSV are text, so that no value becomes null or is rounded;
-- the columns of a Parquet file have the types of the file.
CREATE OR REPLACE EXTERNAL TABLE {{ table(external_table(taxi, month)) }} (
{% for name, type in columns %}
    {{ name | identifier }} {{ type }}{{ "," if not loop.last }}
{% endfor %}
)
OPTIONS (
    {{ ours(taxi.title ~ " trips of " ~ month ~ ", as they are in the raw file.") }},
    uris = [{{ uri | literal }}],
{% if is_parquet %}
    format = 'PARQUET'
{% else %}
    format = 'CSV',
    compression = 'GZIP',
    field_delimiter = ',',
    quote = '"',
    skip_leading_rows = 1,
    allow_jagged_rows = FALSE,
    allow_quoted_newlines = FALSE,
    ignore_unknown_values = FALSE,
    max_bad_records = 0,
    encoding = 'UTF-8'
{% endif %}
)
