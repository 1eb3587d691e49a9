-- All months of {{ taxi.title | lower }} trips. Each month is a partition, which is the monthly table.
CREATE TABLE {{ table | identifier }} (
{% for name, type, description in columns %}
    {{ name | identifier }} {{ type }}{{ " NOT NULL" if name in keys }},
{% endfor %}
    PRIMARY KEY ({% for name in keys %}{{ name | identifier }}{{ ", " if not loop.last }}{% endfor %})
) PARTITION BY LIST ("file_month")
