-- All months of {{ taxi.title | lower }} trips.
CREATE TABLE IF NOT EXISTS {{ table | identifier }} (
{% for name, type, description in columns %}
    {{ name | identifier }} {{ type }}{{ "," if not loop.last }}
{% endfor %}
)
