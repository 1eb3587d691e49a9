"""Asks a source about files: few at a time, those first that were not asked about for longest, and not for long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from taxi_assets.automation.cursor import SensorCursor
from taxi_assets.errors import NotPublishedError, SourceUnavailableError
from taxi_assets.months import Month
from taxi_assets.source.files import FileVersion, RawFile
from taxi_assets.source.origin import Origin
from taxi_assets.source.resource import TripSource
from taxi_assets.source.retries import TransientFault
from taxi_assets.taxis import Taxi


@dataclass(frozen=True)
class PollingLimits:
    """How a server of somebody else's is treated. What lies on this machine is looked at in every evaluation.

    Attributes:
        questions_at_once: Files asked about in one evaluation.
        ask_again_after: Seconds until the same file is asked about again.
        seconds: After these, no further question is asked in the same evaluation; Dagster allows a minute in all.
        faults: Unanswered questions in a row after which the others are left for later.
        shortest_silence: Seconds for which a source that did not answer is left alone; they double each time.
        longest_silence: Most seconds for which it is left alone, unless it asks for more.
    """

    questions_at_once: int = 36
    ask_again_after: int = 6 * 3600
    seconds: float = 25.0
    faults: int = 2
    shortest_silence: int = 10 * 60
    longest_silence: int = 6 * 3600


@dataclass(frozen=True, order=True)
class SourceFile:
    """The file of one taxi and month."""

    name: str
    month: Month
    taxi: Taxi = field(compare=False)

    @property
    def path(self) -> str:
        """By what it is remembered, wherever the file comes from."""
        return self.taxi.file_path(self.month)

    def raw_file(self, source: TripSource) -> RawFile:
        """The file that the source has of it."""
        return source.trip_file(self.taxi, self.month)

    def origin(self, source: TripSource) -> Origin:
        """Where the source has that file from."""
        return source.origin(self.raw_file(source), ask_once=True)


@dataclass
class PollResult:
    """What a source said.

    Attributes:
        offered: The version of each file that it has.
        missing: Files that it does not have.
        faults: Why questions were not answered.
    """

    offered: dict[SourceFile, FileVersion] = field(default_factory=dict)
    missing: list[SourceFile] = field(default_factory=list)
    faults: dict[SourceFile, SourceUnavailableError] = field(default_factory=dict)

    @property
    def asked(self) -> Sequence[SourceFile]:
        """All files that a question was put about."""
        return [*self.offered, *self.missing, *self.faults]

    @property
    def is_silent(self) -> bool:
        """Whether nothing was answered at all."""
        return bool(self.faults) and not self.offered and not self.missing

    @property
    def asked_to_wait(self) -> float:
        """For how many seconds the source wants to be left alone, if it said so."""
        causes = [fault.__cause__ for fault in self.faults.values()]
        return max((cause.wait_seconds or 0.0 for cause in causes if isinstance(cause, TransientFault)), default=0.0)


def due_files(
    files: Sequence[SourceFile], source: TripSource, cursor: SensorCursor, now: float, limits: PollingLimits
) -> Sequence[SourceFile]:
    """The files to ask about now, in the order of taxis and months where none was asked about before."""
    by_origin: dict[str, list[SourceFile]] = {}
    here: list[SourceFile] = []
    for file in files:
        origin = file.origin(source)
        (by_origin.setdefault(origin.name, []) if origin.is_remote else here).append(file)
    last_asked = {file: cursor.files[file.path].asked if file.path in cursor.files else 0 for file in files}
    due = list(here)
    for theirs in by_origin.values():
        waited = [file for file in theirs if now - last_asked[file] >= limits.ask_again_after]
        due += sorted(waited, key=lambda file: (last_asked[file], file))[: limits.questions_at_once]
    return due


def ask(
    source: TripSource,
    files: Sequence[SourceFile],
    known: Mapping[SourceFile, FileVersion],
    limits: PollingLimits,
    clock: Callable[[], float] = time.monotonic,
) -> PollResult:
    """Ask about the files one after the other, until the time is up; a server that does not answer is left alone.

    Args:
        source: The source.
        files: What to ask about.
        known: Versions that are there already, so that the source may say in few words that nothing has changed.
        limits: When to stop.
        clock: Seconds that pass.
    """
    result = PollResult()
    started, faults_in_a_row = clock(), Counter[str]()
    for file in files:
        if clock() - started > limits.seconds:
            break
        origin = file.origin(source)
        if faults_in_a_row[origin.name] >= limits.faults:
            continue
        try:
            result.offered[file] = origin.version(file.raw_file(source), known.get(file))
            faults_in_a_row[origin.name] = 0
        except NotPublishedError:
            result.missing.append(file)
            faults_in_a_row[origin.name] = 0
        except SourceUnavailableError as fault:
            result.faults[file] = fault
            faults_in_a_row[origin.name] += 1
    return result
