{{ config(enabled=taxis_of_fct_trips() != [], **kept_by_month()) }}

-- All staging models have the same columns in the same order.
with trips as (
    {%- for relation in relations_of_taxis("staging") %}
    select * from {{ relation }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
)

-- A trip whose zone is not known stays, without the zone's name.
select
    trips.*,
    pickup.borough as pickup_borough,
    pickup.zone as pickup_zone,
    dropoff.borough as dropoff_borough,
    dropoff.zone as dropoff_zone
from trips
left join {{ ref("dim_zones") }} as pickup on trips.pickup_location_id = pickup.location_id
left join {{ ref("dim_zones") }} as dropoff on trips.dropoff_location_id = dropoff.location_id
where {{ in_months_of_run("trips.file_month") }}
