{# What statements that make tables have in common. #}

{% macro column_definitions(columns, required) %}
{% for name, type, description in columns %}
    {{ name | backticks }} {{ type }}{{ " NOT NULL" if name in required }} OPTIONS (description = {{ description | escaped }}){{ "," if not loop.last }}
{% endfor %}
{% endmacro %}

{% macro ours(description, labels) %}
description = {{ description | escaped }},
    labels = [{% for key, value in labels.items() %}({{ key | escaped }}, {{ value | escaped }}){{ ", " if not loop.last }}{% endfor %}]
{%- endmacro %}
