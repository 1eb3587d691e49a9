-- The taxi zones, read from their raw file.
CREATE TABLE {{ table | identifier }} AS
SELECT
{% for column in columns %}
    CAST({{ column.name | identifier }} AS {{ column_types[column.kind] }}) AS {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM read_csv(
    $path,
{% include "csv_dialect.sql" %}
    columns = {
{% for column in file_columns %}
        {{ column.name | literal }}: 'VARCHAR'{{ "," if not loop.last }}
{% endfor %}
    }
)
