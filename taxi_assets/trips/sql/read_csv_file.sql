read_csv(
        $path,
{% include "csv_dialect.sql" %}
        -- Small pieces keep both ends of a single gzip stream from leaving cores idle.
        max_line_size = {{ longest_line + 16 }},
        buffer_size = 8388608,
        columns = {
{% for column in file_columns %}
            {{ column.name | literal }}: {{ reader_types[column.kind] | literal }}{{ "," if not loop.last }}
{% endfor %}
        }
    )
