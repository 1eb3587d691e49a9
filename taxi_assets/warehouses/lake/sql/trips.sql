-- Trips of some files with all columns of the definition, in its order; a column that is younger than all files is null.
SELECT
{% for column in columns %}
    CAST({{ column.name | identifier if column.name in found else "NULL" }} AS {{ column.type }})
        AS {{ column.name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ files }}
