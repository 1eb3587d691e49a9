"""The sensor that finds new and changed files at the source, and requests exactly those months."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.trips import trip_stages
from taxi_assets.automation.cursor import RecordedFile, SensorCursor, digest, read_cursor
from taxi_assets.automation.jobs import load_request, stretches
from taxi_assets.automation.polling import PollingLimits, PollResult, SourceFile, ask, due_files
from taxi_assets.automation.records import RecordedMonths
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dagster_internals import AssetGraph, UnresolvedAssetJobDefinition
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_taxi
from taxi_assets.source.files import FileVersion
from taxi_assets.source.origin import Origin
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.kind import WarehouseKind

NEW_FILES: Final = "new_files"

POLLING_LIMITS: Final = PollingLimits()
_RETRY_AFTER: Final = 30 * 60
_RETRY_AFTER_AT_MOST: Final = 24 * 3600


class MonthState(StrEnum):
    """How a month that the source offers stands, as the evaluation says it."""

    LOADED = "loaded as offered"
    UNDER_WAY = "under way"
    PAUSED = "failed and to be tried again later"
    BAD = "failed and not changed since"
    WANTED = "new or changed"


@dataclass(frozen=True)
class SensorDecision:
    """What an evaluation came to.

    Attributes:
        requests: The runs to start.
        cursor: What to remember.
        message: What was seen, as a sentence.
    """

    requests: Sequence[dg.RunRequest]
    cursor: SensorCursor
    message: str


def new_files_sensor(warehouses: Sequence[WarehouseKind], job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """The sensor. It is off until somebody switches it on, as it may request many months at once."""

    @dg.sensor(
        name=NEW_FILES,
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Asks the source which months are new or have changed, and loads exactly those. A server is asked about "
            f"{POLLING_LIMITS.questions_at_once} files at once at most, and about each every "
            f"{POLLING_LIMITS.ask_again_after // 3600} hours; a folder is looked at every minute."
        ),
    )
    def new_files(context: dg.SensorEvaluationContext, source: TripSource) -> dg.SensorResult:
        assert context.repository_def is not None  # noqa: S101 - Dagster evaluates sensors with one
        with as_dagster_failures():
            decision = decide(
                source,
                recorded_months(context.instance, context.repository_def.asset_graph, warehouses),
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


def recorded_months(
    instance: dg.DagsterInstance, graph: AssetGraph, warehouses: Sequence[WarehouseKind]
) -> Mapping[Taxi, RecordedMonths]:
    """What Dagster has on record about each taxi."""
    return {taxi: RecordedMonths(instance, graph, taxi, trip_stages(taxi, warehouses)) for taxi in all_taxis().values()}


def decide(
    source: TripSource,
    recorded_months: Mapping[Taxi, RecordedMonths],
    cursor: SensorCursor,
    *,
    now: float,
    limits: PollingLimits = POLLING_LIMITS,
) -> SensorDecision:
    """Ask the source about the files that are due, and request those months that are new or have changed.

    Args:
        source: The source.
        recorded_months: What is on record about each taxi; these taxis are asked about.
        cursor: What the last evaluation remembered; it is brought up to date.
        now: Seconds since 1970.
        limits: How the source is treated.
    """
    if now < cursor.silent_until:
        until = _moment(cursor.silent_until)
        return SensorDecision([], cursor, f"{source.name} did not answer, and is left alone until {until}.")
    today = datetime.fromtimestamp(now, UTC)
    files = [SourceFile(taxi.name, month, taxi) for taxi in recorded_months for month in months_of_taxi(taxi, today)]
    due = due_files(files, source, cursor, now, limits)
    if not due:
        hours = limits.ask_again_after // 3600
        return SensorDecision([], cursor, f"{source.name} was asked about all {len(files)} files within {hours} hours.")
    result = ask(source, due, _known(due, recorded_months, source), limits)
    if result.is_silent:
        return _left_alone(source, cursor, result, now, limits)
    cursor.silent_times = cursor.silent_until = 0
    for file in result.asked:
        if file.origin(source).is_remote:
            cursor.of(file.path).asked = int(now)
    states = {
        file: _state_of(file, version, file.origin(source), recorded_months[file.taxi], cursor=cursor, now=now)
        for file, version in result.offered.items()
    }
    wanted = {file: result.offered[file] for file, state in states.items() if state is MonthState.WANTED}
    for file, version in wanted.items():
        _remember_request(cursor.of(file.path), digest(file.origin(source).name, version), now)
    requests = [
        request
        for taxi in recorded_months
        for request in _requests(source, taxi, recorded_months[taxi], wanted, cursor)
    ]
    return SensorDecision(requests, cursor, _message(source, len(files), result, states, requests))


def _known(
    files: Sequence[SourceFile], recorded_months: Mapping[Taxi, RecordedMonths], source: TripSource
) -> Mapping[SourceFile, FileVersion]:
    landed = {file: recorded_months[file.taxi].landed(file.month) for file in files}
    return {file: found.version for file, found in landed.items() if found and found.origin == file.origin(source).name}


def _state_of(
    file: SourceFile,
    version: FileVersion,
    origin: Origin,
    recorded: RecordedMonths,
    *,
    cursor: SensorCursor,
    now: float,
) -> MonthState:
    month = file.month
    if recorded.is_under_way(month):
        return MonthState.UNDER_WAY
    landed = recorded.landed(month) if recorded.is_loaded(month) else None
    if landed and landed.origin == origin.name and landed.version.is_same_as(version):
        return MonthState.LOADED
    remembered = cursor.files.get(file.path, RecordedFile())
    if remembered.version != digest(origin.name, version):
        return MonthState.WANTED
    failure = recorded.failure(month, since=remembered.requested)
    if failure and not failure.is_transient:
        return MonthState.BAD
    if landed and landed.at >= remembered.requested and not failure:
        # The source says too little about its versions to recognise one; what was asked for has come.
        return MonthState.LOADED
    pause = min(_RETRY_AFTER * 2 ** (remembered.times - 1), _RETRY_AFTER_AT_MOST)
    return MonthState.PAUSED if now < remembered.requested + pause else MonthState.WANTED


def _remember_request(file: RecordedFile, version: str, now: float) -> None:
    file.times = file.times + 1 if file.version == version else 1
    file.version, file.requested = version, int(now)


def _requests(
    source: TripSource,
    taxi: Taxi,
    recorded: RecordedMonths,
    wanted: Mapping[SourceFile, FileVersion],
    cursor: SensorCursor,
) -> Sequence[dg.RunRequest]:
    months = {file.month: cursor.of(file.path) for file in wanted if file.taxi is taxi}
    return [
        load_request(source, [taxi], stretch, assets=recorded.assets, run_key=_run_key(taxi, stretch, months))
        for stretch in stretches(months, settings.months_per_run())
    ]


def _run_key(taxi: Taxi, stretch: Sequence[Month], files: Mapping[Month, RecordedFile]) -> str:
    """The same for the same versions of the same files, as long as they are not tried again on purpose."""
    versions = FileVersion(None, etag=" ".join(f"{files[month].version}/{files[month].times}" for month in stretch))
    return f"{taxi.name} {stretch[0]}...{stretch[-1]} {digest('', versions)}"


def _left_alone(
    source: TripSource, cursor: SensorCursor, result: PollResult, now: float, limits: PollingLimits
) -> SensorDecision:
    cursor.silent_times += 1
    pause = min(limits.shortest_silence * 2 ** (cursor.silent_times - 1), limits.longest_silence)
    cursor.silent_until = int(now + max(pause, result.asked_to_wait))
    cause = next(iter(result.faults.values()))
    return SensorDecision([], cursor, f"{cause} {source.name} is left alone until {_moment(cursor.silent_until)}.")


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
    message = f"Asked {source.name} about {len(result.asked)} of {files} files: {', '.join(parts)}."
    if requests:
        runs = ", ".join(f"{request.tags['taxi']} {request.tags['month']}" for request in requests)
        message += f" Requested: {runs}."
    return message


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
