    read_csv(
        $path,
        -- How raw files are written: commas, a header, quotes where they must be, nothing for null.
        auto_detect = false,
        header = true,
        delim = ',',
        quote = '"',
        escape = '"',
        nullstr = '',
{% if not is_plain %}
        -- Every line is known to be a row by now, and may end in another way than the line before.
        strict_mode = false,
        parallel = false,
{% endif %}
        -- Some more than the longest line, as DuckDB counts some of the line ends.
        max_line_size = {{ longest_line + 16 }},
        -- Small pieces keep both ends of a single gzip stream from leaving cores idle.
        buffer_size = 8388608,
        columns = {
{% for column in file_columns %}
            {{ column.name | literal }}: {{ reader_types[column.kind] | literal }}{{ "," if not loop.last }}
{% endfor %}
        }
    )
