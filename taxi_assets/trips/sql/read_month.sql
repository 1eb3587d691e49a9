-- One month of {{ taxi.title | lower }} trips, read from the raw file, typed, and given ids.
--
-- Numbers are read as DOUBLE and must come out of their final type unchanged, because DuckDB would round 5.7 to the
-- integer 6 and 0.00001 to the decimal 0.0000 without a word. Timestamps must read back as they were written, so that
-- ids are made of them as they were written.
SELECT
    {{ id_function }}(concat(
{% for column in identity %}
        {{ id_text(column) }}{{ "," if not loop.last }}
{% endfor %}
    )) AS "unique_row_id",
{% for column in taxi.columns %}
    {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM (
    SELECT
{% for column in taxi.columns %}
        CAST({{ column.name | identifier }} AS {{ column_types[column.kind] }}) AS {{ column.name | identifier }},
{% endfor %}
{% for column in identity if column.kind == "timestamp" %}
        {{ column.name | identifier }} AS {{ as_written(column) }},
{% endfor %}
{% for column in taxi.columns if column.kind != "text" %}
        {{ "AND " if not loop.first }}{{ is_unchanged(column) }}
{% endfor %}
        AS "is_unchanged"
    FROM read_csv(
        $path,
{% include "csv_dialect.sql" %}
        -- Small pieces keep both ends of a single gzip stream from leaving cores idle.
        max_line_size = 65536,
        buffer_size = 8388608,
        columns = {
{% for column in file_columns %}
            {{ column.name | literal }}: {{ reader_types[column.kind] | literal }}{{ "," if not loop.last }}
{% endfor %}
        }
    )
)
WHERE CASE WHEN "is_unchanged" THEN true ELSE error('a value would change') END
