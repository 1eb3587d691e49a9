{# A column has no value twice among the rows of one published file. #}
{% test unique_within_file(model, column_name, and_by=none) %}
    select file_month, {{ column_name }}
    from {{ model }}
    group by file_month, {{ column_name }}{{ ", " ~ and_by if and_by }}
    having count(*) > 1
{% endtest %}


{# Each month has as many rows here as all of the other relations together: the staging models, or the main tables. #}
{% test as_many_rows_as(model, others, rows="count(*)") %}
    {{ months_that_differ(model, rows, relations(others), "count(*)") }}
{% endtest %}


{# A sum of each month is, to the cent, that of a column of the other relations together. #}
{% test adds_up_to(model, amount, others, column) %}
    {{ months_that_differ(model, "sum(" ~ amount ~ ")", relations(others), "sum(" ~ column ~ ")") }}
{% endtest %}


{# The relations that a test compares with: a list of them, or by a word those of all taxis of fct_trips. #}
{% macro relations(others) %}
    {{ return(relations_of_taxis(others) if others is string else others) }}
{% endmacro %}


{# Months whose figure is not the sum of the others' figures. #}
{% macro months_that_differ(model, figure, others, other_figure) %}
    with others as (
        {%- for other in others %}
        select file_month, {{ other_figure }} as figure
        from {{ other }}
        where {{ in_months_of_run("file_month") }}
        group by file_month
        {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    wanted as (select file_month, sum(figure) as figure from others group by file_month),

    found as (select file_month, {{ figure }} as figure from {{ model }} group by file_month)

    select file_month, wanted.figure as wanted, found.figure as found
    from wanted
    full outer join found using (file_month)
    where coalesce(wanted.figure, 0) <> coalesce(found.figure, 0)
{% endmacro %}
