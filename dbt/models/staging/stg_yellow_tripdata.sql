{{ config(enabled="yellow" in chosen_taxis()) }}

-- One row for each row of the published files: nothing is left out.
select
    {{ id_as_text("unique_row_id") }} as unique_row_id,
    'Yellow' as service_type,
    filename,
    file_month,
    vendorid as vendor_id,
    vendorid is not null as has_vendor,
    ratecodeid as rate_code_id,
    pulocationid as pickup_location_id,
    dolocationid as dropoff_location_id,
    tpep_pickup_datetime as pickup_datetime,
    tpep_dropoff_datetime as dropoff_datetime,
    store_and_fwd_flag,
    passenger_count,
    trip_distance,
    cast(null as integer) as trip_type,
    fare_amount,
    extra,
    mta_tax,
    tip_amount,
    tolls_amount,
    {{ no_amount() }} as ehail_fee,
    improvement_surcharge,
    congestion_surcharge,
    total_amount,
    payment_type,
    coalesce(payment_type_description, 'Not recorded') as payment_type_description
from {{ source("warehouse", "yellow_tripdata") }}
left join {{ ref("payment_types") }} using (payment_type)
