{# The months of the run, as ["2019-01", …]; empty for all months. #}
{% macro months_of_run() %}
    {%- set months = [] if flags.FULL_REFRESH else var("months") -%}
    {%- for month in months if not modules.re.fullmatch("\\d{4}-\\d{2}", month) -%}
        {{ exceptions.raise_compiler_error("months: write each as YYYY-MM, not " ~ month) }}
    {%- endfor -%}
    {{ return(months) }}
{% endmacro %}


{# The first day of each month of the run, as SQL. #}
{% macro days_of_run() %}
    {%- set days = [] -%}
    {%- for month in months_of_run() -%}
        {%- do days.append("date '" ~ month ~ "-01'") -%}
    {%- endfor -%}
    {{ return(days) }}
{% endmacro %}


{# A condition that is true for rows of the run's months. #}
{% macro in_months_of_run(column) -%}
    {%- set days = days_of_run() -%}
    {%- if days -%} {{ column }} in ({{ days | join(", ") }}) {%- else -%} true {%- endif -%}
{%- endmacro %}


{# Configuration of a model that is kept by month: a run replaces its months, and leaves other months as they are. #}
{% macro kept_by_month() %}
    {%- set is_bigquery = target.type == "bigquery" -%}
    {{ return({
        "materialized": "incremental",
        "on_schema_change": "fail",
        "incremental_strategy": "insert_overwrite" if is_bigquery else "replace_months",
        "partition_by": {"field": "file_month", "data_type": "date", "granularity": "month"} if is_bigquery else none,
        "partitions": days_of_run() if is_bigquery else none,
        "indexes": [{"columns": ["file_month"]}] if target.type == "postgres" else [],
    }) }}
{% endmacro %}


{#
    The statements of incremental_strategy: replace_months, which dbt runs in the transaction of the model. Unlike
    delete+insert, it also empties a month that has no rows any more.
#}
{% macro get_incremental_replace_months_sql(arguments) %}
    {%- set columns = get_quoted_csv(arguments["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arguments["target_relation"] }} where {{ in_months_of_run("file_month") }};
    insert into {{ arguments["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arguments["temp_relation"] }};
{% endmacro %}


{# Tests whose `where` is __months_of_run__ read the run's months only, so that their cost does not grow with the table. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = (config.get("where") or "") | replace("__months_of_run__", in_months_of_run("file_month")) -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }}) as rows_to_test
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
