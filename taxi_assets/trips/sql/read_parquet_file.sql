    -- Columns are found by their names, whatever their case and order.
{% if parts | length == 1 %}
    read_parquet($path)
{% else %}
    -- One thread reads a group of rows, and a published month may be one group: so each thread gets rows of its own.
    (
{% for first, last in parts %}
        SELECT * EXCLUDE ("file_row_number")
        FROM read_parquet($path, file_row_number = true)
        WHERE "file_row_number" >= {{ first }} AND "file_row_number" < {{ last }}
{{ "        UNION ALL" if not loop.last }}
{% endfor %}
    )
{% endif %}
