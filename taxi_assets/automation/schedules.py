"""The schedule, which loads the previous month of all taxis on the first of each month at ten in New York."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg

from taxi_assets.automation.jobs import load_request
from taxi_assets.automation.records import RecordedMonths, read_records
from taxi_assets.automation.sensors import NEW_FILES
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dagster_internals import UnresolvedAssetJobDefinition
from taxi_assets.errors import NotPublishedError, SourceUnavailableError
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_taxi
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind

_NEW_YORK: Final = ZoneInfo("America/New_York")


def monthly_schedule(warehouses: Sequence[WarehouseKind], job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule. It is off until you switch it on."""

    @dg.schedule(
        name="monthly",
        job=job,
        cron_schedule="0 10 1 * *",
        execution_timezone=_NEW_YORK.key,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            "Loads the previous month of all taxis in one run. A month that the source does not have yet is left to "
            f"the sensor {NEW_FILES}."
        ),
    )
    def monthly(context: dg.ScheduleEvaluationContext, source: TripSource) -> dg.RunRequest | dg.SkipReason:
        with as_dagster_failures():
            return previous_month(
                source,
                read_records(context.instance, context.repository_def.asset_graph, warehouses),
                context.scheduled_execution_time,
            )

    return monthly


def previous_month(
    source: TripSource, records: Mapping[Taxi, RecordedMonths], at: datetime
) -> dg.RunRequest | dg.SkipReason:
    """Request the month before the given time in New York, for the taxis that have it at the source and not here.

    Where the source does not answer, the run is requested all the same: it waits and tries again, and if it fails, an
    alert says so.

    Args:
        source: The source.
        records: What Dagster has on record about each taxi; these taxis are loaded.
        at: When the schedule was due.
    """
    local = at.astimezone(_NEW_YORK)
    month = Month(local.year, local.month).previous()
    taxis, reasons = [], []
    for taxi, recorded in records.items():
        reason = _reason_to_skip(taxi, month, at, source, recorded)
        if reason:
            reasons.append(reason)
        else:
            taxis.append(taxi)
    if not taxis:
        return dg.SkipReason(" ".join(reasons))
    assets = None if len(taxis) == len(records) else [key for taxi in taxis for key in records[taxi].assets]
    return load_request(source, taxis, [month], assets=assets)


def _reason_to_skip(taxi: Taxi, month: Month, at: datetime, source: TripSource, recorded: RecordedMonths) -> str:
    """Why a taxi's month is not to be loaded now, as a sentence; empty where it is."""
    if month not in months_of_taxi(taxi, at):
        return f"{month} of {taxi.table} is not a partition: no file of that month is known."
    if recorded.is_in_progress(month):
        return f"{month} of {taxi.table} is being loaded."
    file = source.trip_file(taxi, month)
    origin = source.origin(file, ask_once=True)
    landed = recorded.landed(month) if recorded.is_loaded(month) else None
    known = landed.version if landed and landed.origin == origin.name else None
    try:
        version = origin.version(file, known)
    except NotPublishedError:
        return f"{month} of {taxi.table} is not published at {origin.name} yet: the sensor {NEW_FILES} will load it."
    except SourceUnavailableError:
        return ""
    return f"{month} of {taxi.table} is loaded already." if known and known.is_same_as(version) else ""
