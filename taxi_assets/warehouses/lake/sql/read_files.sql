read_parquet(
    [{% for pattern in patterns %}{{ pattern | literal }}{{ ", " if not loop.last }}{% endfor %}],
    union_by_name = true,
{% if has_months %}
    hive_partitioning = true,
    hive_types = { 'file_month': DATE }
{% else %}
    hive_partitioning = false
{% endif %}
)
