"""The schedule, which loads the newest published months of all taxis, every day at ten in New York."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg

from taxi_assets import settings
from taxi_assets.automation.jobs import load_requests, ranges_by_taxis
from taxi_assets.automation.polling import NEWEST_MONTHS, PollingLimits, SourceFile, poll
from taxi_assets.automation.records import RecordedMonths, read_records
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dagster_internals import UnresolvedAssetJobDefinition
from taxi_assets.months import Month, months_before
from taxi_assets.partitions import months_of_taxi
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, chosen_taxis
from taxi_assets.warehouses.kind import WarehouseKind

_NEW_YORK: Final = ZoneInfo("America/New_York")
_LIMITS: Final = PollingLimits()


@dataclass(frozen=True)
class ScheduleDecision:
    """The result of a tick.

    Attributes:
        requests: The runs to start.
        message: What was found, as sentences.
    """

    requests: Sequence[dg.RunRequest]
    message: str


def monthly_schedule(warehouses: Sequence[WarehouseKind], job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule. It is off until you switch it on."""

    @dg.schedule(
        name="monthly",
        job=job,
        cron_schedule="0 10 * * *",
        execution_timezone=_NEW_YORK.key,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Looks every day for the last {NEWEST_MONTHS} months, because a month is published weeks after it has "
            f"ended, and loads those that are published and not loaded yet.{_end_of_release()}"
        ),
    )
    def monthly(context: dg.ScheduleEvaluationContext, source: TripSource) -> Sequence[dg.RunRequest] | dg.SkipReason:
        with as_dagster_failures():
            decision = newest_months(
                source,
                read_records(context.instance, context.repository_def.asset_graph, warehouses),
                context.scheduled_execution_time,
            )
        context.log.info(decision.message)
        return decision.requests or dg.SkipReason(decision.message)

    return monthly


def newest_months(source: TripSource, records: Mapping[Taxi, RecordedMonths], at: datetime) -> ScheduleDecision:
    """Request the last months before the given time in New York that the source has and that are not loaded.

    A month whose file was refused is requested again only after the file has changed. If the source does not answer
    about a month, the month waits for the next tick: it may not be published yet, and its run would fail.

    Args:
        source: The source.
        records: What Dagster has on record about each taxi; these taxis are loaded.
        at: When the schedule was due.

    Raises:
        SourceUnavailableError: The source answered none of the questions.
    """
    local = at.astimezone(_NEW_YORK)
    newest = months_before(Month(local.year, local.month), NEWEST_MONTHS)
    found: dict[str, list[SourceFile]] = {}
    to_ask: list[SourceFile] = []
    for month in newest:
        for taxi, recorded in records.items():
            file = SourceFile.of(taxi, month)
            if month not in months_of_taxi(taxi, at):
                found.setdefault("not a partition", []).append(file)
            elif recorded.is_in_progress(month):
                found.setdefault("being loaded", []).append(file)
            elif recorded.is_loaded(month):
                found.setdefault("loaded", []).append(file)
            else:
                to_ask.append(file)
    result = poll(source, to_ask, {}, _LIMITS)
    if result.is_unanswered:
        # A failed tick is shown in red; a skipped one looks as if there was nothing to load.
        raise next(iter(result.faults.values()))
    wanted: list[SourceFile] = []
    for file, version in result.offered.items():
        if records[file.taxi].is_refused(file.month, file.origin(source).name, version):
            found.setdefault("failed and not changed since", []).append(file)
        else:
            wanted.append(file)
    unanswered = [file for file in to_ask if file not in result.offered and file not in result.missing]
    found |= {"requested": wanted, "not published yet": result.missing, "left to the next tick": unanswered}
    parts = [f"{_named(files)} {state}" for state, files in found.items() if files]
    message = f"{newest[0]}...{newest[-1]} at {source.name}: {'; '.join(parts)}."
    if result.faults:
        message += f" {next(iter(result.faults.values()))}"
    if "not a partition" in found:
        message += _end_of_release()
    return ScheduleDecision(load_requests(source, records, _months_by_taxi(wanted)), message)


def _months_by_taxi(files: Sequence[SourceFile]) -> Mapping[Taxi, Sequence[Month]]:
    return {taxi: [file.month for file in files if file.taxi is taxi] for taxi in chosen_taxis().values()}


def _named(files: Sequence[SourceFile]) -> str:
    """Files in words: ``green, yellow 2026-08...2026-09``."""
    return ", ".join(each.title for each in ranges_by_taxis(_months_by_taxi(files)))


def _end_of_release() -> str:
    """The last month of a source that does not continue, and how to load later ones, as sentences to be added."""
    if settings.source_continues():
        return ""
    last = max(taxi.last_month for taxi in chosen_taxis().values())
    return f" The months of this source end with {last}: set TAXI_SOURCE=auto to load later ones from the feed."
