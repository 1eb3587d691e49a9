{{ config(enabled="fhv" in chosen_taxis()) }}

-- One row for each row of the published files: nothing is left out.
-- An alias in lower case, since DuckDB would keep the file's dropOff_datetime.
select
    {{ id_as_text("unique_row_id") }} as unique_row_id,
    'FHV' as service_type,
    filename,
    file_month,
    dispatching_base_num,
    dispatching_base_num is not null as has_dispatching_base,
    affiliated_base_number as affiliated_base_num,
    pulocationid as pickup_location_id,
    dolocationid as dropoff_location_id,
    pickup_datetime,
    dropoff_datetime as dropoff_datetime,
    sr_flag as shared_ride_flag
from {{ source("warehouse", "fhv_tripdata") }}
