    -- Columns are found by their names, whatever their case and order. Numbers of 32 bits get 64 before they are typed.
{% macro widen() %}
{% if widened %}
REPLACE ({% for name in widened %}CAST({{ name | identifier }} AS DOUBLE) AS {{ name | identifier }}{{ ", " if not loop.last }}{% endfor %})
{%- endif %}
{% endmacro %}
{% if parts | length == 1 %}
    (SELECT * {{ widen() }} FROM read_parquet($path))
{% else %}
    -- One thread reads a group of rows, and a published month may be one group: so each thread gets rows of its own.
    (
{% for first, last in parts %}
        SELECT * EXCLUDE ("file_row_number") {{ widen() }}
        FROM read_parquet($path, file_row_number = true)
        WHERE "file_row_number" >= {{ first }} AND "file_row_number" < {{ last }}
{{ "        UNION ALL" if not loop.last }}
{% endfor %}
    )
{% endif %}
