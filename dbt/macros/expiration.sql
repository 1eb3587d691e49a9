{# BigQuery: a dataset can delete new tables and old partitions by default; the models are kept. Nothing elsewhere. #}
{% macro keep() %}
    {% if target.type == "bigquery" and model.config.materialized != "ephemeral" %}
ALTER {{ "VIEW" if model.config.materialized == "view" else "TABLE" }} {{ this }}
SET OPTIONS (
    expiration_timestamp = NULL{{ ", partition_expiration_days = NULL" if model.config.get("partition_by") }}
)
    {% endif %}
{% endmacro %}
