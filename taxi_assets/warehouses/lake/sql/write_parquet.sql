-- Ids are random text of sixteen letters and digits, which snappy leaves as it is and zstd halves.
COPY (
{{ query }}
) TO {{ path | literal }} (
    FORMAT parquet,
    COMPRESSION zstd,
    COMPRESSION_LEVEL 1,
    ROW_GROUP_SIZE {{ group_rows }},
    KV_METADATA { {% for name, text in marks.items() %}{{ name | identifier }}: {{ text | literal }}{{ ", " if not loop.last }}{% endfor %} }
)
