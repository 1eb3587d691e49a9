-- Decodes all values of a Parquet file's columns.
SELECT
{% for name in header %}
    bit_xor(hash({{ name | identifier }})){{ "," if not loop.last }}
{% endfor %}
FROM read_parquet($path)
