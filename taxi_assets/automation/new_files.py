"""The sensor that finds new and changed files at the source, and requests exactly those months."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from taxi_assets import settings
from taxi_assets.assets.failures import explained_to_people
from taxi_assets.assets.trips import trip_stages
from taxi_assets.automation.asking import Answers, Manners, Subject, ask, due_subjects
from taxi_assets.automation.ledger import Ledger
from taxi_assets.automation.memory import FileMemory, Memory, digest, recalled
from taxi_assets.automation.requests import load_request, stretches
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_taxi
from taxi_assets.source.files import FileVersion
from taxi_assets.source.origin import Origin
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.base import Warehouse

NEW_FILES: Final = "new_files"

_POLITELY: Final = Manners()
_RETRY_AFTER: Final = 30 * 60
_RETRY_AFTER_AT_MOST: Final = 24 * 3600


class Standing(StrEnum):
    """How a month that the source offers stands, as the evaluation says it."""

    LOADED = "loaded as offered"
    UNDER_WAY = "under way"
    PAUSED = "failed and to be tried again later"
    BAD = "failed and not changed since"
    WANTED = "new or changed"


@dataclass(frozen=True)
class Findings:
    """What an evaluation came to.

    Attributes:
        requests: The runs to start.
        memory: What to remember.
        message: What was seen, as a sentence.
    """

    requests: Sequence[dg.RunRequest]
    memory: Memory
    message: str


def new_files_sensor(warehouses: Sequence[Warehouse], job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """The sensor. It is off until somebody switches it on, as it may request many months at once."""

    @dg.sensor(
        name=NEW_FILES,
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Asks the source which months are new or have changed, and loads exactly those. A server is asked about "
            f"{_POLITELY.questions_at_once} files at once at most, and about each every "
            f"{_POLITELY.ask_again_after // 3600} hours; a folder is looked at every minute."
        ),
    )
    def new_files(context: dg.SensorEvaluationContext, source: TripSource) -> dg.SensorResult:
        assert context.repository_def is not None  # noqa: S101 - Dagster evaluates sensors with one
        with explained_to_people():
            findings = look_for_files(
                source,
                ledgers(context.instance, context.repository_def.asset_graph, warehouses),
                recalled(context.cursor),
                now=time.time(),
            )
        context.log.info(findings.message)
        return dg.SensorResult(
            run_requests=findings.requests,
            skip_reason=None if findings.requests else findings.message,
            cursor=findings.memory.as_cursor(),
        )

    return new_files


def ledgers(instance: dg.DagsterInstance, graph: AssetGraph, warehouses: Sequence[Warehouse]) -> Mapping[Taxi, Ledger]:
    """What Dagster has on record about each taxi."""
    return {taxi: Ledger(instance, graph, taxi, trip_stages(taxi, warehouses)) for taxi in all_taxis().values()}


def look_for_files(
    source: TripSource, ledgers: Mapping[Taxi, Ledger], memory: Memory, *, now: float, manners: Manners = _POLITELY
) -> Findings:
    """Ask the source about the files that are due, and request those months that are new or have changed.

    Args:
        source: The source.
        ledgers: What is on record about each taxi; these taxis are asked about.
        memory: What the last evaluation remembered; it is brought up to date.
        now: Seconds since 1970.
        manners: How the source is treated.
    """
    if now < memory.silent_until:
        until = _moment(memory.silent_until)
        return Findings([], memory, f"{source.name} did not answer, and is left alone until {until}.")
    today = datetime.fromtimestamp(now, UTC)
    subjects = [Subject(taxi.name, month, taxi) for taxi in ledgers for month in months_of_taxi(taxi, today)]
    due = due_subjects(subjects, source, memory, now, manners)
    if not due:
        hours = manners.ask_again_after // 3600
        return Findings([], memory, f"{source.name} was asked about all {len(subjects)} files within {hours} hours.")
    answers = ask(source, due, _known(due, ledgers, source), manners)
    if answers.is_silent:
        return _left_alone(source, memory, answers, now, manners)
    memory.silent_times = memory.silent_until = 0
    for subject in answers.asked:
        if subject.origin(source).is_remote:
            memory.of(subject.path).asked = int(now)
    standings = {
        subject: _standing(subject, version, subject.origin(source), ledgers[subject.taxi], memory=memory, now=now)
        for subject, version in answers.offered.items()
    }
    wanted = {
        subject: answers.offered[subject] for subject, standing in standings.items() if standing is Standing.WANTED
    }
    for subject, version in wanted.items():
        _remember_request(memory.of(subject.path), digest(subject.origin(source).name, version), now)
    requests = [request for taxi in ledgers for request in _requests(source, taxi, ledgers[taxi], wanted, memory)]
    return Findings(requests, memory, _message(source, len(subjects), answers, standings, requests))


def _known(
    subjects: Sequence[Subject], ledgers: Mapping[Taxi, Ledger], source: TripSource
) -> Mapping[Subject, FileVersion]:
    landed = {subject: ledgers[subject.taxi].landed(subject.month) for subject in subjects}
    return {
        subject: found.version
        for subject, found in landed.items()
        if found and found.origin == subject.origin(source).name
    }


def _standing(
    subject: Subject, version: FileVersion, origin: Origin, ledger: Ledger, *, memory: Memory, now: float
) -> Standing:
    month = subject.month
    if ledger.is_under_way(month):
        return Standing.UNDER_WAY
    landed = ledger.landed(month) if ledger.is_loaded(month) else None
    if landed and landed.origin == origin.name and landed.version.is_same_as(version):
        return Standing.LOADED
    remembered = memory.files.get(subject.path, FileMemory())
    if remembered.version != digest(origin.name, version):
        return Standing.WANTED
    failure = ledger.failure(month, since=remembered.requested)
    if failure and not failure.passing:
        return Standing.BAD
    if landed and landed.at >= remembered.requested and not failure:
        # The source says too little about its versions to recognise one; what was asked for has come.
        return Standing.LOADED
    pause = min(_RETRY_AFTER * 2 ** (remembered.times - 1), _RETRY_AFTER_AT_MOST)
    return Standing.PAUSED if now < remembered.requested + pause else Standing.WANTED


def _remember_request(file: FileMemory, version: str, now: float) -> None:
    file.times = file.times + 1 if file.version == version else 1
    file.version, file.requested = version, int(now)


def _requests(
    source: TripSource, taxi: Taxi, ledger: Ledger, wanted: Mapping[Subject, FileVersion], memory: Memory
) -> Sequence[dg.RunRequest]:
    months = {subject.month: memory.of(subject.path) for subject in wanted if subject.taxi is taxi}
    return [
        load_request(source, [taxi], stretch, assets=ledger.assets, run_key=_run_key(taxi, stretch, months))
        for stretch in stretches(months, settings.months_per_run())
    ]


def _run_key(taxi: Taxi, stretch: Sequence[Month], files: Mapping[Month, FileMemory]) -> str:
    """The same for the same versions of the same files, as long as they are not tried again on purpose."""
    versions = FileVersion(None, etag=" ".join(f"{files[month].version}/{files[month].times}" for month in stretch))
    return f"{taxi.name} {stretch[0]}...{stretch[-1]} {digest('', versions)}"


def _left_alone(source: TripSource, memory: Memory, answers: Answers, now: float, manners: Manners) -> Findings:
    memory.silent_times += 1
    pause = min(manners.shortest_silence * 2 ** (memory.silent_times - 1), manners.longest_silence)
    memory.silent_until = int(now + max(pause, answers.asked_to_wait))
    cause = next(iter(answers.faults.values()))
    return Findings([], memory, f"{cause} {source.name} is left alone until {_moment(memory.silent_until)}.")


def _message(
    source: TripSource,
    files: int,
    answers: Answers,
    standings: Mapping[Subject, Standing],
    requests: Sequence[dg.RunRequest],
) -> str:
    counts = {standing: list(standings.values()).count(standing) for standing in Standing}
    parts = [f"{count} {standing}" for standing, count in counts.items() if count]
    if answers.missing:
        parts.append(f"{len(answers.missing)} not published")
    if answers.faults:
        cause = next(iter(answers.faults.values()))
        parts.append(f"{len(answers.faults)} without an answer (the first: {cause})")
    message = f"Asked {source.name} about {len(answers.asked)} of {files} files: {', '.join(parts)}."
    if requests:
        runs = ", ".join(f"{request.tags['taxi']} {request.tags['month']}" for request in requests)
        message += f" Requested: {runs}."
    return message


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
