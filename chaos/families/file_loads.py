"""What malformed CSV and Parquet have in common: a file is put in a source, loaded, and judged by what it holds."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.families.judging import FileCase, judge_file
from chaos.lanes import Lane
from chaos.outcomes import Case, Outcome, Result
from chaos.product.held import Held, held_in
from chaos.product.loading import Attempt, Project, load
from chaos.product.processes import CallFailedError, ProcessCrashedError, ProcessHungError

_LOADS_IN_A_HOME = 150


def load_and_read(
    project: Project, taxi: str, months: Sequence[str], places: Mapping[str, Mapping[str, Any]]
) -> tuple[Attempt, dict[str, Held]]:
    """Load months, and say what came of it and what each warehouse then holds; called in a worker."""
    attempt = load(project, taxi, months)
    return attempt, {name: held_in(name, place, taxi) for name, place in places.items()}


class FileLoads(ABC):
    """A family of files that are loaded one after the other into the same places, each as a new version of its month.

    Attributes:
        name: The family's name.
        title: What its table is headed.
        available: Names of the warehouses that are there.
        each_postgres: Of how many files one is loaded into PostgreSQL too.
        each_bigquery: Of how many files one is loaded into BigQuery too.
        limit_seconds: How long a load may take.
        load: Loads months in a worker, and says what came of it and what each warehouse then holds.
    """

    load = staticmethod(load_and_read)
    name: str
    title: str
    each_postgres: int
    each_bigquery: int

    def __init__(self, available: Sequence[str], *, limit_seconds: float = 120.0) -> None:
        self.available = available
        self.limit_seconds = limit_seconds
        self._held: dict[tuple[str, str, str], Held] = {}
        self._loads: dict[str, int] = {}

    @abstractmethod
    def make(self, number: int, seed: str) -> tuple[Case, FileCase, bytes]:
        """The case of that number, what the strict reader finds in its file, and the file's bytes."""

    @abstractmethod
    def put(self, lane: Lane, case: FileCase, data: bytes) -> Path:
        """Put the file where the lane's source has it."""

    def warehouses(self, number: int) -> Sequence[str]:
        """Names of the warehouses that the file of that number is loaded into, DuckDB always among them."""
        each = {"duckdb": 1, "postgres": self.each_postgres, "bigquery": self.each_bigquery}
        return [name for name, count in each.items() if number % count == 0 and name in self.available]

    def source(self, lane: Lane) -> Mapping[str, Any]:
        """Settings of the source."""
        return {"address": str(lane.source)}

    def skipped(self) -> Mapping[str, str]:
        """Nothing is skipped: a warehouse that is not there is left out of all cases."""
        return {}

    def lane(self, folder: Path, servers: Any) -> Lane:
        """A lane for the family's cases."""
        return Lane(folder, servers, self.available)

    def run(self, number: int, seed: str, lane: Lane) -> Result:
        """Do the case of that number in a lane."""
        start = time.monotonic()
        case, file, data = self.make(number, seed)
        self._renew_in_time(lane)
        self.put(lane, file, data)
        wanted = self.warehouses(number)
        project = Project(lane.home, self.source(lane), {name: lane.settings[name] for name in wanted}, lane.temporary)
        places = {name: lane.held_settings(name) for name in wanted}
        before = {name: self._held.get((lane.name, name, file.taxi.name), Held()) for name in wanted}
        try:
            attempt, after = lane.worker.call(
                self.load, project, file.taxi.name, [file.month], places, seconds=self.limit_seconds
            )
        except (ProcessCrashedError, ProcessHungError, CallFailedError) as error:
            lane.replace_worker()
            lane.renew()
            outcome = {ProcessCrashedError: Outcome.CRASHED, ProcessHungError: Outcome.HUNG}.get(
                type(error), Outcome.WRONG
            )
            return Result(case, outcome, str(error), time.monotonic() - start)
        outcome, note = judge_file(file, attempt, _of_taxi(before, file), _of_taxi(after, file))
        for name, held in after.items():
            self._held[lane.name, name, file.taxi.name] = held
        if outcome is Outcome.WRONG:
            lane.replace_worker()
            lane.renew()
        return Result(case, outcome, note, time.monotonic() - start)

    def _renew_in_time(self, lane: Lane) -> None:
        """Begin with an empty home now and then, so that first loads are among the cases too."""
        loads = self._loads.get(lane.name, 0)
        if loads >= _LOADS_IN_A_HOME:
            self._held = {key: held for key, held in self._held.items() if key[0] != lane.name}
            lane.renew()
        self._loads[lane.name] = self._loads.get(lane.name, 0) + 1


def _of_taxi(held: Mapping[str, Held], file: FileCase) -> dict[str, Held]:
    """What is held, without the tables of the other taxi."""
    table = f"{file.taxi.name}_tripdata"
    return {
        name: Held({t: kind for t, kind in each.tables.items() if t.startswith(table)}, each.rows, each.digests)
        for name, each in held.items()
    }
