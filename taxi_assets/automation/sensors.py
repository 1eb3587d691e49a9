"""The sensor that finds new and changed files at the source and requests a load of exactly those months."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import dagster as dg

from taxi_assets.automation.cursor import PolledFile, SensorCursor, read_cursor
from taxi_assets.automation.jobs import TaxisRange, load_requests
from taxi_assets.automation.polling import PollingLimits, PollResult, SourceFile, due_files, poll
from taxi_assets.automation.records import RecordedMonths, read_records
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dagster_internals import UnresolvedAssetJobDefinition
from taxi_assets.months import Month
from taxi_assets.partitions import watched_months
from taxi_assets.source.origin import Origin
from taxi_assets.source.raw_files import FileVersion
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind

NEW_FILES: Final = "new_files"

POLLING_LIMITS: Final = PollingLimits()
_FIRST_RETRY_SECONDS: Final = 30 * 60
_LONGEST_RETRY_SECONDS: Final = 24 * 3600


class MonthState(StrEnum):
    """What an evaluation found about a month that the source offers, in the words of its message."""

    UP_TO_DATE = "up to date"
    IN_PROGRESS = "being loaded"
    WAITING_FOR_RETRY = "failed, to be tried again later"
    FAILED = "failed and not changed since"
    REQUESTED = "requested"


@dataclass(frozen=True)
class SensorDecision:
    """The result of an evaluation.

    Attributes:
        requests: The runs to start.
        cursor: What the next evaluation is given.
        message: What was found, as a sentence.
    """

    requests: Sequence[dg.RunRequest]
    cursor: SensorCursor
    message: str


def new_files_sensor(warehouses: Sequence[WarehouseKind], job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """The sensor. It is off until you switch it on, as it may request many months at once."""

    @dg.sensor(
        name=NEW_FILES,
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Looks for new and changed months at the source, and loads them. Sends a web server at most "
            f"{POLLING_LIMITS.files_at_once} requests per evaluation, and checks each file every "
            f"{POLLING_LIMITS.interval_seconds // 3600} hours; folders every minute."
        ),
    )
    def new_files(context: dg.SensorEvaluationContext, source: TripSource) -> dg.SensorResult:
        assert context.repository_def is not None  # noqa: S101 - Dagster evaluates sensors with one
        with as_dagster_failures():
            decision = decide(
                source,
                read_records(context.instance, context.repository_def.asset_graph, warehouses),
                read_cursor(context.cursor),
                now=time.time(),
            )
        context.log.info(decision.message)
        return dg.SensorResult(
            run_requests=decision.requests,
            skip_reason=None if decision.requests else decision.message,
            cursor=decision.cursor.to_text(),
        )

    return new_files


def decide(
    source: TripSource,
    records: Mapping[Taxi, RecordedMonths],
    cursor: SensorCursor,
    *,
    now: float,
    limits: PollingLimits = POLLING_LIMITS,
) -> SensorDecision:
    """Ask the source about the files that are due, and request the months that are new or have changed.

    Args:
        source: The source.
        records: What Dagster has on record about each taxi; the source is asked about these taxis.
        cursor: What the last evaluation kept; it is brought up to date.
        now: Seconds since 1970.
        limits: How often the source may be asked.
    """
    if now < cursor.paused_until:
        until = _moment(cursor.paused_until)
        return SensorDecision([], cursor, f"{source.name} did not answer and is not asked again before {until}.")
    today = datetime.fromtimestamp(now, UTC)
    files = [SourceFile.of(taxi, month) for taxi in records for month in watched_months(taxi, today)]
    due = due_files(files, source, cursor, now, limits)
    if not due:
        hours = limits.interval_seconds // 3600
        message = f"Nothing to ask: {source.name} was asked about all {len(files)} files in the last {hours} hours."
        return SensorDecision([], cursor, message)
    result = poll(source, due, _landed_versions(due, records, source), limits)
    if result.is_unanswered:
        return _pause(source, cursor, result, now, limits)
    cursor.unanswered = cursor.paused_until = 0
    for file in result.asked:
        if file.origin(source).is_remote:
            cursor.file(file.path).asked_at = int(now)
    states = {
        file: _month_state(file, version, file.origin(source), records[file.taxi], cursor=cursor, now=now)
        for file, version in result.offered.items()
    }
    for file, version in result.offered.items():
        if _is_loaded(file, version, file.origin(source), records[file.taxi]):
            cursor.file(file.path).forget_request()
    wanted = {file: result.offered[file] for file, state in states.items() if state is MonthState.REQUESTED}
    for file, version in wanted.items():
        _note_request(cursor.file(file.path), version.digest(file.origin(source).name), now)
    months = {taxi: [file.month for file in wanted if file.taxi is taxi] for taxi in records}
    requests = load_requests(source, records, months, run_key=lambda each: _run_key(each, cursor))
    return SensorDecision(requests, cursor, _message(source, len(files), result, states, requests))


def _landed_versions(
    files: Sequence[SourceFile], records: Mapping[Taxi, RecordedMonths], source: TripSource
) -> Mapping[SourceFile, FileVersion]:
    landed = {file: records[file.taxi].landed(file.month) for file in files}
    return {file: found.version for file, found in landed.items() if found and found.origin == file.origin(source).name}


def _is_loaded(file: SourceFile, version: FileVersion, origin: Origin, recorded: RecordedMonths) -> bool:
    """Whether this version is on record as loaded. Some sources say too little about their versions to tell."""
    landed = recorded.landed(file.month) if recorded.is_loaded(file.month) else None
    return bool(landed and landed.origin == origin.name and landed.version.is_same_as(version))


def _month_state(
    file: SourceFile,
    version: FileVersion,
    origin: Origin,
    recorded: RecordedMonths,
    *,
    cursor: SensorCursor,
    now: float,
) -> MonthState:
    month = file.month
    if recorded.is_in_progress(month):
        return MonthState.IN_PROGRESS
    if _is_loaded(file, version, origin, recorded):
        return MonthState.UP_TO_DATE
    if recorded.is_refused(month, origin.name, version):
        return MonthState.FAILED
    kept = cursor.files.get(file.path, PolledFile())
    if kept.version != version.digest(origin.name):
        return MonthState.REQUESTED
    return _state_of_request(kept, recorded, month, now)


def _state_of_request(kept: PolledFile, recorded: RecordedMonths, month: Month, now: float) -> MonthState:
    """What became of the last request for a version that is not on record as loaded."""
    failure = recorded.failure(month, since=kept.requested_at)
    if failure and not failure.is_transient:
        return MonthState.FAILED
    landed = recorded.landed(month) if recorded.is_loaded(month) else None
    if landed and landed.at >= kept.requested_at and not failure:
        # The source says too little about its versions to recognise one; the load that was requested is done.
        return MonthState.UP_TO_DATE
    pause = min(_FIRST_RETRY_SECONDS * 2 ** (kept.requests - 1), _LONGEST_RETRY_SECONDS)
    return MonthState.WAITING_FOR_RETRY if now < kept.requested_at + pause else MonthState.REQUESTED


def _note_request(file: PolledFile, version: str, now: float) -> None:
    file.requests = file.requests + 1 if file.version == version else 1
    file.version, file.requested_at = version, int(now)


def _run_key(each: TaxisRange, cursor: SensorCursor) -> str:
    """The same for the same versions of the same files, unless they are tried again on purpose."""
    files = [cursor.file(taxi.file_path(month)) for taxi in each.taxis for month in each.months]
    versions = FileVersion(None, etag=" ".join(f"{file.version}/{file.requests}" for file in files))
    return f"{each.title} {versions.digest('')}"


def _pause(
    source: TripSource, cursor: SensorCursor, result: PollResult, now: float, limits: PollingLimits
) -> SensorDecision:
    cursor.unanswered += 1
    pause = min(limits.shortest_pause_seconds * 2 ** (cursor.unanswered - 1), limits.longest_pause_seconds)
    cursor.paused_until = int(now + max(pause, result.retry_after_seconds))
    cause = next(iter(result.faults.values()))
    until = _moment(cursor.paused_until)
    return SensorDecision([], cursor, f"{cause} {source.name} is not asked again before {until}.")


def _message(
    source: TripSource,
    files: int,
    result: PollResult,
    states: Mapping[SourceFile, MonthState],
    requests: Sequence[dg.RunRequest],
) -> str:
    counts = {state: list(states.values()).count(state) for state in MonthState}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    if result.missing:
        parts.append(f"{len(result.missing)} not published")
    if result.faults:
        cause = next(iter(result.faults.values()))
        parts.append(f"{len(result.faults)} without an answer (the first: {cause})")
    message = f"{', '.join(parts)}: asked {source.name} about {len(result.asked)} of {files} files."
    if requests:
        runs = ", ".join(f"{request.tags['taxi']} {request.tags['month']}" for request in requests)
        message += f" Runs requested: {runs}."
    return message


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
