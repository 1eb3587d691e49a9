{% from "tables.sql" import ours %}
-- A month's raw file where it lies, with the types that it has.
CREATE OR REPLACE EXTERNAL TABLE {{ table }} (
{% for name, type in columns %}
    {{ name | backticks }} {{ type }}{{ "," if not loop.last }}
{% endfor %}
)
OPTIONS (
    {{ ours(description, labels) }},
    format = 'PARQUET',
    uris = [{{ uri | escaped }}]
)
