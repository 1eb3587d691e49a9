{% from "tables.sql" import ours with context %}
-- A month's raw file where it lies, with the types that it has.
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
