{# Macros that all statements which create tables share; imported with context. #}

{% macro column_definitions(columns) %}
{% for column in columns %}
    {{ column.name | identifier }} {{ column.type }}{{ " NOT NULL" if column.name in required }} OPTIONS (description = {{ column.description | literal }}){{ "," if not loop.last }}
{% endfor %}
{% endmacro %}

{% macro ours(description) %}
description = {{ (comment_prefix ~ description) | literal }},
    labels = [{% for key, value in labels.items() %}({{ key | literal }}, {{ value | literal }}){{ ", " if not loop.last }}{% endfor %}]
{%- endmacro %}
