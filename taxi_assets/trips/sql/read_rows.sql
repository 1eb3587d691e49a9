-- Typed rows of a raw file, which fail where a value would change.
--
-- Numbers must come out of their final type unchanged, because DuckDB would round 5.7 to the integer 6 and 0.00001 to the
-- decimal 0.0000 without a word; from a CSV they are read as DOUBLE. What a computed DOUBLE is off by is no part of its
-- value: 0.30000000000000004 is 0.3. Timestamps must read back as they were written.
SELECT * EXCLUDE ("is_unchanged")
FROM (
    SELECT
{% for column in columns %}
        CAST({{ column.name | identifier if column in file_columns else "NULL" }} AS {{ column_types[column.kind] }})
            AS {{ column.name | identifier }},
{% endfor %}
{% for column in written_columns %}
        {{ text_as_written(column) }} AS {{ as_written(column) }},
{% endfor %}
{% for column in file_columns %}
        {{ "AND " if not loop.first }}{{ is_unchanged(column) }}
{% endfor %}
        AS "is_unchanged"
    FROM
{% include file_reader %}
)
WHERE CASE WHEN "is_unchanged" THEN true ELSE error('a value would change') END
