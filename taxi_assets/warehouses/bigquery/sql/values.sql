{# Converts the text of a field to a value, and a value to its text in a trip's id, by kind of column. #}

{# The text of a field of a CSV; an empty field is null. #}
{% macro text_in_csv(field) %}
NULLIF({{ field }}, '')
{%- endmacro %}

{# The text of a value of a Parquet file, by the type of its column there. A TIMESTAMP is read in UTC, whatever the default
time zone of the project is. #}
{% macro text_in_parquet(kind, type, value) %}
{% if type == "TIMESTAMP" %}
CAST(DATETIME({{ value }}, 'UTC') AS STRING)
{%- elif kind == "timestamp" %}
CAST(CAST({{ value }} AS DATETIME) AS STRING)
{%- else %}
CAST({{ value }} AS STRING)
{%- endif %}
{% endmacro %}

{# Whether the final type holds the value of the text unchanged, by the rules of taxi_assets/trips/columns.py: numbers are
compared as FLOAT64, and computed ones may be off by a rounding error. #}
{% macro is_unchanged(kind, text, rounding_error, not_text) %}
{% if kind == "integer" %}
{{ is_number(text) }}
                AND {{ digits(text) }} <= 15
                AND ({{ float64(text) }} != 0 OR {{ digits(text) }} = 0)
                AND {{ float64(text) }} = TRUNC({{ float64(text) }})
                AND {{ float64(text) }} BETWEEN -2147483648 AND 2147483647
{%- elif kind == "decimal" %}
{{ is_number(text) }}
                AND ABS({{ float64(text) }}) < 1e10
                AND ({{ rounded(text) }} != 0 OR {{ digits(text) }} = 0)
                AND CASE
                    WHEN {{ digits(text) }} <= 15 AND CAST({{ rounded(text) }} AS FLOAT64) = {{ float64(text) }} THEN TRUE
                    ELSE {{ digits(text) }} <= {{ rounding_error.digits }}
                        AND ABS({{ float64(text) }}) < {{ rounding_error.limit }}
                        AND ABS(CAST({{ rounded(text) }} AS FLOAT64) - {{ float64(text) }})
                            <= {{ rounding_error.part }} * ABS({{ float64(text) }})
                END
{%- elif kind == "timestamp" %}
CAST(SAFE_CAST({{ text }} AS DATETIME) AS STRING) = {{ text }}
                AND LENGTH({{ text }}) = 19
{%- else %}
NOT REGEXP_CONTAINS({{ text }}, {{ not_text | literal }})
{%- endif %}
{% endmacro %}

{# The value in its final type; the text must be one that is_unchanged accepts. #}
{% macro typed(kind, text) %}
{% if kind == "integer" %}
CAST({{ float64(text) }} AS INT64)
{%- elif kind == "decimal" %}
{{ rounded(text) }}
{%- elif kind == "timestamp" %}
SAFE_CAST({{ text }} AS DATETIME)
{%- else %}
{{ text }}
{%- endif %}
{% endmacro %}

{# The text of a value in a trip's id: 5, 0.79, -83.53. It is composed from integers, because systems differ in how they
cast a fraction to text. #}
{% macro shortest_text(kind, value) %}
{% if kind == "integer" %}
CAST({{ value }} AS STRING)
{%- elif kind == "decimal" %}
CONCAT(
                IF({{ value }} < 0, '-', ''),
                CAST(DIV({{ ten_thousandths(value) }}, 10000) AS STRING),
                RTRIM(CONCAT('.', LPAD(CAST(MOD({{ ten_thousandths(value) }}, 10000) AS STRING), 4, '0')), '.0')
            )
{%- elif kind == "timestamp" %}
CAST({{ value }} AS STRING)
{%- else %}
{{ value }}
{%- endif %}
{% endmacro %}

{# An exponent of more than three digits is out of range, even that of a zero. #}
{% macro is_number(text) %}
REGEXP_CONTAINS({{ text }}, r'^ *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?0*[0-9]{1,3})? *$')
{%- endmacro %}

{% macro float64(text) %}
SAFE_CAST(TRIM({{ text }}) AS FLOAT64)
{%- endmacro %}

{% macro rounded(text) %}
ROUND(SAFE_CAST({{ float64(text) }} AS NUMERIC), 4)
{%- endmacro %}

{# The number of written digits of a number, from the first that is not zero to the last that is not zero. #}
{% macro digits(text) %}
LENGTH(TRIM(REGEXP_REPLACE(REGEXP_REPLACE({{ text }}, '[eE].*', ''), '[^0-9]', ''), '0'))
{%- endmacro %}

{% macro ten_thousandths(value) %}
CAST(ABS({{ value }}) * 10000 AS INT64)
{%- endmacro %}
