"""What crash faults have in common: the old month or the new one wholly, and a next run that needs no help.

A project holds an old version of a month and another month. The new version is loaded while something goes wrong. Then
the warehouse must hold either version wholly and the other month as it was; what was said must be a sentence; a next
load without a fault must lead to the new version, and nothing may be left behind.
"""

from __future__ import annotations

import gzip
import random
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.families.judging import Judgement, expected_rows
from chaos.families.months import sound_csv
from chaos.faults.disks import FileSystem
from chaos.lanes import Lane, Servers
from chaos.outcomes import Case, Outcome, Result
from chaos.product.held import Held, digest, held_in
from chaos.product.loading import Attempt, Project, load
from chaos.product.processes import CallFailedError, ProcessCrashedError, ProcessHungError, Worker
from chaos.sentences import why_no_sentence
from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import read_csv

TAXI = "green"
JANUARY, FEBRUARY = "2019-01", "2019-02"


class FaultMissedError(Exception):
    """The load was over before the fault could happen."""


@dataclass(frozen=True)
class Version:
    """A version of January.

    Attributes:
        file: Its file's bytes.
        digest: Digest of the rows that a warehouse then holds.
    """

    file: bytes
    digest: str


@dataclass
class Scene:
    """Where a fault happens.

    Attributes:
        project: The project.
        home: Its folder.
        choice: The case's random generator.
        seconds: How long a load takes.
        worker: The process that loads, which has not begun yet.
        stack: What is to be put right when the load has ended, before anybody looks at it.
        settings: What else the warehouse's family knows.
    """

    project: Project
    home: Path
    choice: random.Random
    seconds: float
    worker: Worker
    stack: ExitStack
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CrashFault:
    """Something that goes wrong while a month is loaded.

    Attributes:
        kind: What it is.
        weight: How often it is chosen.
        arrange: Prepares it before the load begins; what it returns is called once the load has begun.
        is_killed: Whether the load is meant to die of it.
        why_not: Why this machine can't make it, or empty.
        is_large: Whether it needs a month that fills more than a megabyte.
        disk: Kind of the disk that it needs.
    """

    kind: str
    weight: int
    arrange: Callable[[Scene], Callable[[], None] | None]
    is_killed: bool = False
    why_not: Callable[[], str] = lambda: ""
    is_large: bool = False
    disk: FileSystem | None = None


def version_of(rows: int, *, number: int) -> Version:
    """January as it was published first (0), and as it was corrected: other tips, fewer rows (1), more of them (2)."""
    lines = sound_csv(TAXI, rows, JANUARY).split(b"\r\n")
    header, body = lines[0], [line for line in lines[1:] if line]
    if number:
        place = header.split(b",").index(b"tip_amount")
        body = [_with_tip(line, place, number) if count % 4 == 0 else line for count, line in enumerate(body)]
        body = body[number * 5 :] if number == 1 else body

    content = b"\r\n".join([header, *body, b""])
    taxi = strict_taxi(TAXI)
    expected = expected_rows(read_csv(content, taxi).rows or (), taxi, f"{TAXI}_tripdata_{JANUARY}.csv.gz")
    return Version(gzip.compress(content, 1, mtime=0), digest(expected))


def _with_tip(line: bytes, place: int, number: int) -> bytes:
    fields = line.split(b",")
    fields[place] = b"%d.5" % (70 + number)
    return b",".join(fields)


class Crashes(ABC):
    """A family of crash faults in one warehouse.

    Attributes:
        name: The family's name.
        title: What its table is headed.
        warehouse: The warehouse's name.
        faults: What can go wrong.
    """

    name: str
    title: str
    warehouse: str
    faults: Sequence[CrashFault]

    def __init__(self, *, limit_seconds: float = 120.0) -> None:
        self.limit_seconds = limit_seconds
        self.possible = [fault for fault in self.faults if not fault.why_not()]

    def skipped(self) -> Mapping[str, str]:
        """Why a kind of fault can't be made here, by its name."""
        return {fault.kind: fault.why_not() for fault in self.faults if fault.why_not()}

    def lane(self, folder: Path, servers: Servers) -> Lane:
        """A lane for the family's cases."""
        return Lane(folder, servers, [self.warehouse])

    def run(self, number: int, seed: str, lane: Lane) -> Result:
        """Load while something goes wrong, and look at what is left."""
        start = time.monotonic()
        choice = random.Random(f"{seed}/{self.name}/{number}")
        fault = choice.choices(self.possible, [fault.weight for fault in self.possible])[0]
        case = Case(self.name, number, fault.kind, self.warehouse)
        try:
            outcome, note = self.play(fault, choice, lane)
        except ProcessHungError as error:
            outcome, note = Outcome.HUNG, str(error)
        except (ProcessCrashedError, CallFailedError) as error:
            outcome, note = Outcome.WRONG, f"what is left can't be read: {error}"
        if not outcome.is_promised:
            self.spoilt(lane)
        return Result(case, outcome, note, time.monotonic() - start)

    @abstractmethod
    def play(self, fault: CrashFault, choice: random.Random, lane: Lane) -> Judgement:
        """Arrange the fault, load, and judge what is left."""

    @abstractmethod
    def spoilt(self, lane: Lane) -> None:
        """Begin again, as nothing is certain about what a failed case has left."""

    def load_with_fault(self, fault: CrashFault, scene: Scene) -> Attempt | str:
        """Load while the fault happens, and return what the load says, or how its process died.

        Raises:
            ProcessHungError: It neither ended nor died.
        """
        try:
            begun = fault.arrange(scene)
            scene.worker.begin(load, scene.project, TAXI, [JANUARY])
            if begun is not None:
                begun()
            attempt: Attempt = scene.worker.wait(self.limit_seconds)
        except ProcessCrashedError as error:
            return str(error)
        finally:
            scene.worker.end()
            scene.stack.close()
        return attempt

    def held(self, lane: Lane) -> Held:
        """What the warehouse holds, as another process reads it."""
        try:
            found: Held = lane.worker.call(
                held_in, self.warehouse, lane.held_settings(self.warehouse), TAXI, with_rows=False, seconds=60
            )
        except (ProcessCrashedError, ProcessHungError, CallFailedError):
            lane.replace_worker()
            raise
        return found

    def judge(
        self, fault: CrashFault, attempt: Attempt | str, held: Held, *, old: str, new: str, february: str, where: str
    ) -> Judgement:
        """What became of the load itself: the old version or the new one, and what was said.

        Args:
            fault: What went wrong.
            attempt: What the load said, or how its process died.
            held: What the warehouse then held.
            old: Digest of the old January; empty where there was none.
            new: Digest of the new one.
            february: Digest of the other month.
            where: A part of the text that tells people where something went wrong.
        """
        january = held.digests.get(JANUARY, "")
        if held.digests.get(FEBRUARY, "") != february:
            return Outcome.WRONG, "the other month is not as it was"
        if january not in (old, new):
            return Outcome.WRONG, "neither the old month nor the new one"
        if isinstance(attempt, str):
            return (Outcome.EXACT, "") if fault.is_killed else (Outcome.CRASHED, attempt)
        if attempt.is_done:
            is_new = january == new
            return (Outcome.EXACT, "") if is_new else (Outcome.WRONG, "it said that it was done, and was not")
        (problem, *_) = attempt.problems[JANUARY]
        unclear = why_no_sentence(problem)
        if not unclear and where not in problem.text and f"{TAXI}_tripdata" not in problem.text:
            unclear = "it does not say where"
        return (Outcome.UNCLEAR, f"{unclear}: {problem.text}") if unclear else (Outcome.REFUSED, problem.text)

    def judge_again(self, attempt: Attempt, held: Held, *, new: str, february: str, left: str) -> Judgement:
        """What became of the load after that, without a fault."""
        if not attempt.is_done:
            said = "; ".join(problem.text for problem in attempt.problems[JANUARY])
            return Outcome.WRONG, f"the next load fails: {said}"
        if (held.digests.get(JANUARY), held.digests.get(FEBRUARY, "")) != (new, february):
            return Outcome.WRONG, "after the next load, the months are not those of their files"
        tables = [f"{TAXI}_tripdata", f"{TAXI}_tripdata_2019_01", *([f"{TAXI}_tripdata_2019_02"] if february else [])]
        wrong = held.has_only(*tables)
        if wrong or left:
            return Outcome.WRONG, f"after the next load: {wrong}{' ' if wrong and left else ''}{left}"
        return Outcome.EXACT, ""


def at_a_moment(act: Callable[[Scene], None]) -> Callable[[Scene], Callable[[], None]]:
    """A fault that acts at a moment of the load, if the load still runs then."""

    def arrange(scene: Scene) -> Callable[[], None]:
        moment = scene.choice.random() * scene.seconds

        def begun() -> None:
            if scene.worker.has_answered(moment):
                raise FaultMissedError
            act(scene)

        return begun

    return arrange


killed_at_a_moment = at_a_moment(lambda scene: scene.worker.kill())


def put(source: Path, month: str, data: bytes) -> None:
    """Put a month's file in a source."""
    path = source / TAXI / f"{TAXI}_tripdata_{month}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def left_in(home: Path, months: Sequence[str]) -> str:
    """Files that should not be in a project's folder after a load, or empty."""
    names = {f"{TAXI}_tripdata_{month}.csv.gz{end}" for month in months for end in ("", ".json")}
    landing = {path.name for path in (home / "landing" / TAXI).glob("[!.]*")} if (home / "landing").exists() else set()
    odd = sorted(landing ^ names)
    allowed = {"landing", "warehouse.duckdb", "source", "temporary", "filler", "lost+found"}
    # What rebuild_duckdb has replaced is kept.
    others = (path.name for path in home.iterdir() if not path.name.startswith("warehouse.duckdb.before-"))
    odd += sorted(name for name in others if name not in allowed)
    temporary = home / "temporary"
    odd += sorted(f"temporary/{path.name}" for path in temporary.iterdir()) if temporary.exists() else []
    drafts = (home / "landing").rglob(".*") if (home / "landing").exists() else []
    odd += sorted(path.name for path in drafts if not path.name.endswith(".lock"))
    return f"left: {', '.join(odd)}" if odd else ""


def clear(folder: Path) -> None:
    """Delete a folder."""
    shutil.rmtree(folder, ignore_errors=True)
