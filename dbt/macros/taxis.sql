{# The taxis that the setting TAXI_TAXIS names. #}
{% macro chosen_taxis() %}
    {%- set names = [] -%}
    {%- for name in env_var("TAXI_TAXIS", "green,yellow").split(",") -%}
        {%- do names.append(name | trim) -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{# Those of them whose trips are in fct_trips: each has a staging model with the same columns. #}
{% macro taxis_of_fct_trips() %}
    {%- set names = [] -%}
    {%- for name in ["green", "yellow"] if name in chosen_taxis() -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{# The staging models of these taxis, or their main tables. #}
{% macro relations_of_taxis(kind) %}
    {%- set relations = [] -%}
    {%- for name in taxis_of_fct_trips() -%}
        {%- set table = name ~ "_tripdata" -%}
        {%- do relations.append(ref("stg_" ~ table) if kind == "staging" else source("warehouse", table)) -%}
    {%- endfor -%}
    {{ return(relations) }}
{% endmacro %}
