"""What crash faults of PostgreSQL and BigQuery have in common: two versions of a month that take turns in one place."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from chaos.families.crashes import (
    FEBRUARY,
    JANUARY,
    TAXI,
    CrashFault,
    Crashes,
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


class CrashesOnServers(Crashes):
    """Crash faults in a warehouse that is a server, where a lane has a place that is used again and again.

    Attributes:
        rows: Rows of January.
    """

    rows = 1_500
    seconds = 1.0

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
        if not (lane.home / "landing").exists():
            self._begin(lane)
        old = self._now
        new = next(version for version in self._versions if version is not old)
        put(lane.source, JANUARY, new.file)
        with ExitStack() as stack:
            worker = Worker(lane.folder, "case")
            project = self._project(lane, self.settings_with_fault(lane))
            scene = Scene(project, lane.home, choice, self.seconds, worker, stack, {"lane": lane})
            attempt = self.load_with_fault(fault, scene)
        self.after_fault(lane)
        held = self.held(lane)
        outcome, note = self.judge(fault, attempt, held, (old.digest, new.digest), self._february, self.place(lane))
        again = self._load_again(lane)
        self._now = new
        left = left_in(lane.home, [JANUARY, FEBRUARY])
        later, said = self.judge_again(again, self.held(lane), new.digest, self._february, left)
        if not later.is_promised:
            return later, f"{said} (the fault: {note or attempt})"
        return outcome, note

    def place(self, lane: Lane) -> str:
        """What messages call the warehouse."""
        raise NotImplementedError

    def _project(self, lane: Lane, settings: Mapping[str, Any]) -> Project:
        return Project(lane.home, {"address": str(lane.source)}, {self.warehouse: settings}, lane.temporary)

    def _begin(self, lane: Lane) -> None:
        """Load the first version of January, and February beside it."""
        if not hasattr(self, "_versions"):
            self._versions: tuple[Version, ...] = tuple(version_of(self.rows, number=number) for number in (1, 2))
        put(lane.source, JANUARY, self._versions[0].file)
        put(lane.source, FEBRUARY, sound_csv_gz(TAXI, self.rows // 2, FEBRUARY))
        project = self._project(lane, lane.settings[self.warehouse])
        with Worker(lane.folder, "base") as worker:
            first: Attempt = worker.call(load, project, TAXI, [JANUARY, FEBRUARY], seconds=self.limit_seconds)
        held = self.held(lane)
        if not first.is_done or held.digests.get(JANUARY) != self._versions[0].digest:
            raise ProcessHungError(f"a load without a fault did not lead to its months: {first.problems}")
        self._now = self._versions[0]
        self._february = held.digests[FEBRUARY]
        self.seconds = first.seconds / 2

    def _load_again(self, lane: Lane) -> Attempt:
        with Worker(lane.folder, "again") as worker:
            project = self._project(lane, lane.settings[self.warehouse])
            again: Attempt = worker.call(load, project, TAXI, [JANUARY], seconds=self.limit_seconds)
        self.seconds = 0.5 * self.seconds + 0.5 * again.seconds
        return again
