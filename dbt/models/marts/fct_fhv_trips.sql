{{ config(enabled="fhv" in chosen_taxis(), **kept_by_month()) }}

-- A trip whose zone is not known, as most are, stays without the zone's name.
select
    trips.*,
    pickup.borough as pickup_borough,
    pickup.zone as pickup_zone,
    dropoff.borough as dropoff_borough,
    dropoff.zone as dropoff_zone
from {{ ref("stg_fhv_tripdata") }} as trips
left join {{ ref("dim_zones") }} as pickup on trips.pickup_location_id = pickup.location_id
left join {{ ref("dim_zones") }} as dropoff on trips.dropoff_location_id = dropoff.location_id
where {{ in_months_of_run("trips.file_month") }}
