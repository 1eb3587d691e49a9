{% from "tables.sql" import column_definitions, ours with context %}
-- All months of {{ taxi.title | lower }} trips. Partitions are the files' months: pickups go back to 2001, and would make one
-- for each of their own. Within a month, rows are kept by what queries ask for.
CREATE TABLE IF NOT EXISTS {{ table(taxi.table) }} (
{{ column_definitions(columns_of(taxi)) }})
PARTITION BY DATE_TRUNC(`file_month`, MONTH)
CLUSTER BY {% for name in cluster_of(taxi) %}{{ name | identifier }}{{ ", " if not loop.last }}{% endfor %}

OPTIONS (
    {{ ours(taxi.title ~ " trips, all months. " ~ taxi.description) }}
)
