-- The taxi zones, read from their raw file.
CREATE TABLE {{ table | identifier }} AS
{% include "read_rows.sql" %}
