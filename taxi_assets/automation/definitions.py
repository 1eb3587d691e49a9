"""Automation as a part of the project: jobs, the monthly schedule, the sensor of new files, and alerts."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_assets import settings
from taxi_assets.automation.alerts import alert_sensors
from taxi_assets.automation.following import following_sensor
from taxi_assets.automation.jobs import load_jobs
from taxi_assets.automation.remove_month import remove_month_job
from taxi_assets.automation.remove_sample import remove_sample_job
from taxi_assets.automation.schedules import monthly_schedule
from taxi_assets.automation.sensors import new_files_sensor
from taxi_assets.automation.webhook import Webhook
from taxi_assets.warehouses.kind import WarehouseKind


def automation_definitions(warehouses: Sequence[WarehouseKind]) -> dg.Definitions:
    """What loads months into these warehouses, and what tells of failures."""
    loads = load_jobs(warehouses)
    return dg.Definitions(
        jobs=[
            *loads.each,
            *loads.refreshing,
            loads.everywhere,
            remove_month_job(warehouses),
            remove_sample_job(warehouses),
        ],
        schedules=[monthly_schedule(warehouses, loads.everywhere)],
        sensors=[new_files_sensor(warehouses, loads.everywhere), following_sensor(), *alert_sensors()],
        resources={"webhook": Webhook(address=settings.alert_webhook())},
    )
