{{ config(materialized="table") }}

-- Aliases in lower case, since DuckDB would keep the file's Borough and Zone.
select
    locationid as location_id,
    borough as borough,
    zone as zone,
    service_zone
from {{ source("warehouse", "taxi_zones") }}
