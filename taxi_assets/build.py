"""Puts the asset graph together, for Dagster's entry point and for tests alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.trips import trip_assets
from taxi_assets.assets.zones import zones_assets, zones_checks
from taxi_assets.automation.alerts import alert_sensors
from taxi_assets.automation.jobs import load_jobs
from taxi_assets.automation.remove_month import remove_month_job
from taxi_assets.automation.schedules import monthly_schedule
from taxi_assets.automation.sensors import new_files_sensor
from taxi_assets.automation.webhook import Webhook
from taxi_assets.dagster_errors import RETRIES
from taxi_assets.dbt import dbt_definitions
from taxi_assets.getting_started.parts import (
    getting_started_assets,
    getting_started_jobs,
    getting_started_resources,
    getting_started_schedules,
)
from taxi_assets.report.assets import report_assets
from taxi_assets.report.folder import ReportFolder
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses import configured_warehouses
from taxi_assets.warehouses.kind import WarehouseKind


def build_definitions(
    *,
    warehouses: Sequence[WarehouseKind] | None = None,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    retries: dg.RetryPolicy = RETRIES,
) -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources.

    Args:
        warehouses: The warehouses to include; those whose settings are there unless given.
        resources: Resources to use instead of those that the settings describe.
        loggers: Loggers that a run may name in its configuration, beside Dagster's own.
        retries: How often steps are tried again when what stopped them may pass.
    """
    included = configured_warehouses() if warehouses is None else warehouses
    loads = load_jobs(included)
    from_settings: dict[str, Any] = {
        "source": TripSource(
            address=settings.source(),
            feed=settings.feed(),
            landing=str(settings.landing_folder()),
            landing_bucket=settings.landing_bucket(),
            keep_raw_files=settings.keep_raw_files(),
        ),
        "webhook": Webhook(address=settings.alert_webhook()),
        "report_folder": ReportFolder(folder=str(settings.home() / "report")),
        **getting_started_resources(settings.home() / "getting_started"),
    }
    for warehouse in included:
        from_settings |= warehouse.resources()
    default = next((warehouse for warehouse in included if warehouse.is_default), included[0])
    from_settings["io_manager"] = from_settings[default.io_manager_key]
    with _without_labels():
        dbt = dbt_definitions(included)
        return dg.Definitions(
            assets=[
                *(trip_assets(taxi, included, retries) for taxi in all_taxis().values()),
                *zones_assets(included, retries),
                *report_assets(included),
                *getting_started_assets(),
                *dbt.assets,
            ],
            asset_checks=zones_checks(included),
            jobs=[
                *loads.each,
                loads.everywhere,
                remove_month_job(included),
                *(job for warehouse in included for job in warehouse.jobs()),
                *getting_started_jobs(),
                *dbt.jobs,
            ],
            schedules=[monthly_schedule(included, loads.everywhere), *getting_started_schedules()],
            sensors=[new_files_sensor(included, loads.everywhere), *alert_sensors()],
            resources={**from_settings, **(resources or {})},
            loggers=loggers,
            # A step of these assets takes seconds, and a process of its own would cost as much again.
            executor=dg.in_process_executor,
        )


@contextmanager
def _without_labels() -> Iterator[None]:
    """Without the warnings that backfill policies are beta and checks per month a preview.

    They are tested here, and would greet every user at every command.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield
