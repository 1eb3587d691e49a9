-- One month of {{ taxi.title | lower }} trips, read from the raw file, typed, and given ids, which are made of timestamps
-- as they were written.
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
{% include "read_rows.sql" %}
)
