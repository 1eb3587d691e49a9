"""What crash faults of PostgreSQL and BigQuery have in common: two versions of a month that take turns in one place."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

from chaos.families.crashes import (
    FEBRUARY,
    JANUARY,
    TAXI,
    Crashes,
    CrashFault,
    FaultMissedError,
    Scene,
    Version,
    left_in,
    put,
    version_of,
)
from chaos.families.judging import Judgement
from chaos.families.months import sound_csv_gz
from chaos.lanes import Lane
from chaos.outcomes import Outcome
from chaos.product.loading import Attempt, Project, load
from chaos.product.processes import ProcessHungError, Worker

_TRIES = 6


@dataclass
class _State:
    """What a lane's place holds.

    Attributes:
        now: The version of January.
        february: Digest of the other month.
    """

    now: Version
    february: str


class CrashesOnServers(Crashes):
    """Crash faults in a warehouse that is a server, where a lane has a place that is used again and again.

    Attributes:
        rows: Rows of January.
    """

    rows = 1_500

    def __init__(self, *, limit_seconds: float = 120.0) -> None:
        super().__init__(limit_seconds=limit_seconds)
        self.seconds = 1.0
        self._states: dict[str, _State] = {}

    def play(self, fault: CrashFault, choice: random.Random, lane: Lane) -> Judgement:
        """See the base class."""
        for _ in range(_TRIES):
            try:
                return self._try(fault, choice, lane)
            except FaultMissedError:
                self.seconds *= 0.8
                self._load_again(lane)
        return Outcome.EXACT, "the fault came too late"

    def spoilt(self, lane: Lane) -> None:
        """Begin again in a new place."""
        lane.renew()

    def settings_with_fault(self, lane: Lane) -> Mapping[str, Any]:
        """Settings of the warehouse for the load that is disturbed."""
        return lane.settings[self.warehouse]

    def after_fault(self, lane: Lane) -> None:
        """Wait until the server can be used again."""

    def _try(self, fault: CrashFault, choice: random.Random, lane: Lane) -> Judgement:
        state = self._states.get(lane.name) or self._begin(lane)
        old = state.now
        new = next(version for version in _versions(self.rows) if version is not old)
        put(lane.source, JANUARY, new.file)
        with ExitStack() as stack:
            worker = Worker(lane.folder, "case")
            project = self._project(lane, self.settings_with_fault(lane))
            scene = Scene(project, lane.home, choice, self.seconds, worker, stack, {"lane": lane})
            attempt = self.load_with_fault(fault, scene)
        self.after_fault(lane)
        held = self.held(lane)
        outcome, note = self.judge(
            fault, attempt, held, old=old.digest, new=new.digest, february=state.february, where=self.place(lane)
        )
        again = self._load_again(lane)
        state.now = new
        left = left_in(lane.home, [JANUARY, FEBRUARY])
        later, said = self.judge_again(again, self.held(lane), new=new.digest, february=state.february, left=left)
        if not later.is_promised:
            return later, f"{said} (the fault: {note or attempt})"
        return outcome, note

    def place(self, lane: Lane) -> str:
        """What messages call the warehouse."""
        raise NotImplementedError

    def _project(self, lane: Lane, settings: Mapping[str, Any]) -> Project:
        return Project(lane.home, {"address": str(lane.source)}, {self.warehouse: settings}, lane.temporary)

    def _begin(self, lane: Lane) -> _State:
        """Load the first version of January, and February beside it."""
        first_version, _ = _versions(self.rows)
        put(lane.source, JANUARY, first_version.file)
        put(lane.source, FEBRUARY, sound_csv_gz(TAXI, self.rows // 2, FEBRUARY))
        project = self._project(lane, lane.settings[self.warehouse])
        with Worker(lane.folder, "base") as worker:
            first: Attempt = worker.call(load, project, TAXI, [JANUARY, FEBRUARY], seconds=self.limit_seconds)
        held = self.held(lane)
        if not first.is_done or held.digests.get(JANUARY) != first_version.digest:
            raise ProcessHungError(f"a load without a fault did not lead to its months: {first.problems}")
        self.seconds = first.seconds / 2
        self._states[lane.name] = _State(first_version, held.digests[FEBRUARY])
        return self._states[lane.name]

    def _load_again(self, lane: Lane) -> Attempt:
        with Worker(lane.folder, "again") as worker:
            project = self._project(lane, lane.settings[self.warehouse])
            again: Attempt = worker.call(load, project, TAXI, [JANUARY], seconds=self.limit_seconds)
        self.seconds = 0.5 * self.seconds + 0.5 * again.seconds
        return again


@cache
def _versions(rows: int) -> tuple[Version, Version]:
    return version_of(rows, number=1), version_of(rows, number=2)
