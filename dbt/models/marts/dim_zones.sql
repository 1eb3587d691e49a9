{{ config(materialized="table") }}

select
    locationid as location_id,
    borough,
    zone,
    service_zone
from {{ source("warehouse", "taxi_zones") }}
