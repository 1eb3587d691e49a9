{# The trip's id as 32 hexadecimal digits; PostgreSQL keeps it as a uuid. #}
{% macro id_as_text(column) -%}
    {%- if target.type == "postgres" -%} replace(cast({{ column }} as text), '-', '') {%- else -%} {{ column }} {%- endif -%}
{%- endmacro %}


{# The value of an amount that a taxi's files don't have. #}
{% macro no_amount() -%}
    cast(null as {{ "numeric" if target.type == "bigquery" else "decimal(14, 4)" }})
{%- endmacro %}


{# The meaning of a number of payment_type. #}
{% macro payment_type_description(column) -%}
    case {{ column }}
        when 0 then 'Flex fare'
        when 1 then 'Credit card'
        when 2 then 'Cash'
        when 3 then 'No charge'
        when 4 then 'Dispute'
        when 5 then 'Unknown'
        when 6 then 'Voided trip'
        else 'Not recorded'
    end
{%- endmacro %}


{# First day of the calendar month of a time. #}
{% macro month_of(column) -%}
    {%- if target.type == "bigquery" -%}
        date_trunc(cast({{ column }} as date), month)
    {%- else -%}
        cast(date_trunc('month', {{ column }}) as date)
    {%- endif -%}
{%- endmacro %}
