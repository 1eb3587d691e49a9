{# The trip's id as 32 hexadecimal digits; PostgreSQL keeps it as a uuid. #}
{% macro id_as_text(column) -%}
    {%- if target.type == "postgres" -%} replace(cast({{ column }} as text), '-', '') {%- else -%} {{ column }} {%- endif -%}
{%- endmacro %}


{# The value of an amount that a taxi's files don't have. #}
{% macro no_amount() -%}
    cast(null as {{ "numeric" if target.type == "bigquery" else "decimal(14, 4)" }})
{%- endmacro %}


{# First day of the calendar month of a time. #}
{% macro month_of(column) -%}
    {%- if target.type == "bigquery" -%}
        date_trunc(cast({{ column }} as date), month)
    {%- else -%}
        cast(date_trunc('month', {{ column }}) as date)
    {%- endif -%}
{%- endmacro %}
