{{ config(materialized="view", enabled=taxis_of_fct_trips() != []) }}

{#- Whichever months are loaded, a trip of two files is one trip: so this is not stored by month. -#}
{%- set key = "vendor_id, pickup_datetime, pickup_location_id, service_type" -%}
{%- set first = "dropoff_datetime nulls last, file_month, unique_row_id" %}

select {% if target.type == "postgres" %} distinct on ({{ key }}) {% endif %} *
from {{ ref("fct_trips") }}
where has_vendor
{% if target.type == "postgres" -%}
order by {{ key }}, {{ first }}
{%- else -%}
qualify row_number() over (partition by {{ key }} order by {{ first }}) = 1
{%- endif %}
