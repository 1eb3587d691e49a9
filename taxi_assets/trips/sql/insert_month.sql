-- One month of {{ taxi.title | lower }} trips, with the file that each comes from.
INSERT INTO {{ table | identifier }}
SELECT
    "unique_row_id",
    CAST($filename AS VARCHAR) AS "filename",
    CAST($file_month AS DATE) AS "file_month",
{% for column in taxi.columns %}
    {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM (
{% include "read_month.sql" %}
)
