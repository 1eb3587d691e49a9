{{ config(enabled=taxis_of_fct_trips() != [], **kept_by_month()) }}

select
    file_month,
    {{ month_of("pickup_datetime") }} as revenue_month,
    service_type,
    pickup_location_id,
    pickup_borough as revenue_borough,
    pickup_zone as revenue_zone,

    sum(fare_amount) as revenue_monthly_fare,
    sum(extra) as revenue_monthly_extra,
    sum(mta_tax) as revenue_monthly_mta_tax,
    sum(tip_amount) as revenue_monthly_tip_amount,
    sum(tolls_amount) as revenue_monthly_tolls_amount,
    sum(ehail_fee) as revenue_monthly_ehail_fee,
    sum(improvement_surcharge) as revenue_monthly_improvement_surcharge,
    sum(congestion_surcharge) as revenue_monthly_congestion_surcharge,
    sum(total_amount) as revenue_monthly_total_amount,

    -- Sums rather than averages, so that rows can be added up.
    count(*) as total_monthly_trips,
    sum(passenger_count) as total_monthly_passengers,
    sum(trip_distance) as total_monthly_distance
from {{ ref("fct_trips") }}
where {{ in_months_of_run("file_month") }}
group by file_month, {{ month_of("pickup_datetime") }}, service_type, pickup_location_id, pickup_borough, pickup_zone
