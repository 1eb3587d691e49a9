-- One month of {{ taxi.title | lower }} trips, filled beside the main table.
CREATE TABLE {{ table | identifier }} (
{% for name, type, description in columns %}
    {{ name | identifier }} {{ type }}{{ " NOT NULL" if name in keys }}{{ "," if not loop.last }}
{% endfor %}
)
