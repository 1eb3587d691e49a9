-- One month of {{ taxi.title | lower }} trips, for a while. Ids are random text: looking for a way to compress them takes
-- longer than writing them, which pays in a table that stays.
CREATE TABLE {{ table | identifier }} (
    "unique_row_id" {{ column_types["text"] }} USING COMPRESSION uncompressed,
    "filename" {{ column_types["text"] }},
    "file_month" DATE,
{% for column in taxi.columns %}
    {{ column.name | identifier }} {{ column_types[column.kind] }}{{ "," if not loop.last }}
{% endfor %}
);

-- From its first moment the table is known as ours, so that a load which is killed leaves nothing that the next refuses.
COMMENT ON TABLE {{ table | identifier }} IS {{ comment | literal }};
