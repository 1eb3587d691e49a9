-- The first values of one column that its final type can't hold as they are.
SELECT
    "file_row_number" + 1 AS "row",
    CAST({{ column }} AS VARCHAR) AS "value"
FROM read_parquet($path, file_row_number = true)
WHERE {{ column }} IS NOT NULL
    AND (TRY_CAST({{ column }} AS {{ type }}) IS NULL OR NOT ({{ is_unchanged }}))
ORDER BY "row"
LIMIT {{ limit }}
