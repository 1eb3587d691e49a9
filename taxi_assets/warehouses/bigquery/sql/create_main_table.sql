{% from "tables.sql" import column_definitions, ours with context %}
-- All months of {{ taxi.title | lower }} trips. It is partitioned by the file's month: pickups go back to 2001, and would create a
-- partition for each of their months. Within a month, rows are clustered by the columns that queries filter by.
CREATE TABLE IF NOT EXISTS {{ table(taxi.table) }} (
{{ column_definitions(columns_of(taxi)) }})
PARTITION BY DATE_TRUNC(`file_month`, MONTH)
CLUSTER BY {% for name in cluster_of(taxi) %}{{ name | identifier }}{{ ", " if not loop.last }}{% endfor %}

OPTIONS (
    {{ ours(taxi.title ~ " trips, all months. " ~ taxi.description) }}
)
