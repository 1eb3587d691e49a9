"""Asks a source about files: a few in each evaluation, those first that may have just been published."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from taxi_assets.automation.cursor import SensorCursor
from taxi_assets.errors import NotPublishedError, SourceUnavailableError
from taxi_assets.months import Month, months_before
from taxi_assets.source.origin import Origin
from taxi_assets.source.raw_files import FileVersion, RawFile
from taxi_assets.source.resource import TripSource
from taxi_assets.source.retries import TransientFault
from taxi_assets.taxis import Taxi

NEWEST_MONTHS: Final = 6
"""How many months before the current one may still be published. The feed takes two to three."""


@dataclass(frozen=True)
class PollingLimits:
    """How often a web server is asked. Files on this machine are looked at in every evaluation.

    Attributes:
        files_at_once: Files that are asked about in one evaluation.
        interval_seconds: Time until the same file is asked about again.
        budget_seconds: Time after which one evaluation asks about no further file; Dagster allows a minute in all.
        failures_in_a_row: Unanswered questions in a row after which the other files wait for a later evaluation.
        shortest_pause_seconds: Pause after an evaluation in which the source did not answer; it doubles each time.
        longest_pause_seconds: Longest such pause, unless the source asks for more.
    """

    files_at_once: int = 36
    interval_seconds: int = 6 * 3600
    budget_seconds: float = 25.0
    failures_in_a_row: int = 2
    shortest_pause_seconds: int = 10 * 60
    longest_pause_seconds: int = 6 * 3600


@dataclass(frozen=True, order=True)
class SourceFile:
    """The file of one taxi and month. Files are in the order of their months, so that taxis are asked together."""

    month: Month
    name: str
    taxi: Taxi = field(compare=False)

    @classmethod
    def of(cls, taxi: Taxi, month: Month) -> SourceFile:
        """The file of that taxi and month."""
        return cls(month, taxi.name, taxi)

    @property
    def path(self) -> str:
        """Its key in the cursor, wherever the file comes from."""
        return self.taxi.file_path(self.month)

    def raw_file(self, source: TripSource) -> RawFile:
        """The file that the source has of it."""
        return source.trip_file(self.taxi, self.month)

    def origin(self, source: TripSource) -> Origin:
        """Where the source has that file from."""
        return source.origin(self.raw_file(source), ask_once=True)


@dataclass
class PollResult:
    """What a source answered.

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
        """All files that were asked about."""
        return [*self.offered, *self.missing, *self.faults]

    @property
    def is_unanswered(self) -> bool:
        """Whether not a single question was answered."""
        return bool(self.faults) and not self.offered and not self.missing

    @property
    def retry_after_seconds(self) -> float:
        """The pause that the source asks for; 0 where it asks for none."""
        causes = [fault.__cause__ for fault in self.faults.values()]
        return max((cause.wait_seconds or 0.0 for cause in causes if isinstance(cause, TransientFault)), default=0.0)


def due_files(
    files: Sequence[SourceFile], source: TripSource, cursor: SensorCursor, now: float, limits: PollingLimits
) -> Sequence[SourceFile]:
    """The files to ask about now: newly published months first, then those that were not asked about for longest."""
    remote: dict[str, list[SourceFile]] = {}
    local: list[SourceFile] = []
    for file in files:
        origin = file.origin(source)
        (remote.setdefault(origin.name, []) if origin.is_remote else local).append(file)
    today = datetime.fromtimestamp(now, UTC)
    newest = set(months_before(Month(today.year, today.month), NEWEST_MONTHS))
    asked_at = {file: cursor.files[file.path].asked_at if file.path in cursor.files else 0 for file in files}
    due = list(local)
    for of_one_server in remote.values():
        waited = [file for file in of_one_server if now - asked_at[file] >= limits.interval_seconds]
        due += sorted(waited, key=lambda file: (file.month not in newest, asked_at[file], file))[: limits.files_at_once]
    return due


def poll(
    source: TripSource,
    files: Sequence[SourceFile],
    known: Mapping[SourceFile, FileVersion],
    limits: PollingLimits,
    clock: Callable[[], float] = time.monotonic,
) -> PollResult:
    """Ask about the files one after the other, until the time is up; a server that does not answer is left out.

    Args:
        source: The source.
        files: What to ask about.
        known: Versions that were landed before, so that the source may say in few words that nothing has changed.
        limits: When to stop.
        clock: The time in seconds.
    """
    result = PollResult()
    started, failures = clock(), Counter[str]()
    for file in files:
        if clock() - started > limits.budget_seconds:
            break
        origin = file.origin(source)
        if failures[origin.name] >= limits.failures_in_a_row:
            continue
        try:
            result.offered[file] = origin.version(file.raw_file(source), known.get(file))
            failures[origin.name] = 0
        except NotPublishedError:
            result.missing.append(file)
            failures[origin.name] = 0
        except SourceUnavailableError as fault:
            result.faults[file] = fault
            failures[origin.name] += 1
    return result
