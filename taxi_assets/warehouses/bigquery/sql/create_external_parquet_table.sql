{% from "tables.sql" import ours with context %}
-- An external table over a month's raw file, with the types of the file.
CREATE OR REPLACE EXTERNAL TABLE {{ table(external_table(taxi, month)) }} (
{% for name, type in columns %}
    {{ name | identifier }} {{ type }}{{ "," if not loop.last }}
{% endfor %}
)
OPTIONS (
    {{ ours(taxi.title ~ " trips of " ~ month ~ ", as they are in the raw file.") }},
    format = 'PARQUET',
    uris = [{{ uri | literal }}]
)
