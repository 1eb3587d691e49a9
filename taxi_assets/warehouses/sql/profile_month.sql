-- All numbers that the checks need about one month, in one pass. The values are read by their position.
SELECT
    count(*),
    count(*) - count(DISTINCT {{ dialect.column("unique_row_id") }}),
    coalesce(sum({{ dialect.id_number }}), 0)
{% for rule in rules %}
    -- {{ rule.name }}
    , count(CASE WHEN {{ rule.condition }} THEN 1 END)
{% endfor %}
{% for name in summed %}
    , sum({{ dialect.column(name) }})
{% endfor %}
FROM {{ table }}
WHERE {{ dialect.column("file_month") }} = {{ dialect.day(month.first_day) }}
