"""The schedules of the group. They are off until you switch them on."""

import dagster as dg

from taxi_assets.getting_started.jobs import hello_job, products_job

hello_daily = dg.ScheduleDefinition(
    name="hello_daily",
    job=hello_job,
    cron_schedule="0 9 * * *",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Says hello every morning at nine in New York.",
)

products_daily = dg.ScheduleDefinition(
    name="products_daily",
    job=products_job,
    cron_schedule="0 10 * * *",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Fetches the products and averages their prices every morning at ten in New York.",
)
