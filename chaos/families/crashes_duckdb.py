"""Crash faults of the embedded warehouse: killed processes, full and failing disks."""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
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
    killed_at_a_moment,
    left_in,
    put,
    version_of,
)
from chaos.families.judging import Judgement
from chaos.families.months import sound_csv_gz
from chaos.faults import disks, system_calls
from chaos.faults.disks import Disk
from chaos.faults.system_calls import CallFault, tampered
from chaos.lanes import Lane, Servers
from chaos.outcomes import Outcome
from chaos.product.loading import Attempt, Project, land, load, rebuild
from chaos.product.processes import CallFailedError, ProcessHungError, Worker
from chaos.sentences import why_no_sentence

SMALL, LARGE = 400, 14_000
_SMALLEST_LIMIT, _LARGEST_LIMIT = 4 * 1024, 800 * 1024
_ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS")
_TRIES = 6

REBUILD = "rebuild_duckdb"
REBUILT = f"DuckDB's file was damaged, and created again by {REBUILD}"


def limit_file_size(limit: int) -> None:
    """Let no file of this process grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def _size_between(choice: random.Random) -> int:
    """A size within the limits: as often small as large."""
    return int(_SMALLEST_LIMIT * (_LARGEST_LIMIT / _SMALLEST_LIMIT) ** choice.random())


def _tampered(scene: Scene, fault: CallFault) -> None:
    month = f"{TAXI}_tripdata_{JANUARY}.csv.gz"
    landing = scene.project.landing / TAXI
    names = [month, f"{month}.part", f"{month}.part.json", f"{month}.json", f".{month}.json.new"]
    database = scene.project.database
    paths = [landing, *(landing / name for name in names), database, database.with_name(f"{database.name}.wal")]
    scene.stack.enter_context(tampered(scene.worker.pid, fault, paths))


def _killed_at_a_call(scene: Scene) -> None:
    _tampered(scene, CallFault("any", "KILL", scene.choice.randint(1, 60)))


def _call_fails(scene: Scene) -> None:
    calls = scene.choice.choice(("write", "write", "write", "sync", "sync", "truncate", "rename", "unlink"))
    most = 40 if calls == "write" else 6
    error = scene.choice.choice(_ERRORS)
    _tampered(scene, CallFault(calls, error, scene.choice.randint(1, most), goes_on=scene.choice.random() < 0.5))


def _reading_fails(scene: Scene) -> None:
    _tampered(scene, CallFault("read", "EIO", scene.choice.randint(1, 25), goes_on=scene.choice.random() < 0.5))


def _file_size_limited(scene: Scene) -> None:
    scene.worker.call(limit_file_size, _size_between(scene.choice), seconds=20)


def _disk_full(scene: Scene) -> None:
    disk: Disk = scene.settings["disk"]
    disk.fill(_size_between(scene.choice))
    scene.stack.callback(disk.empty)


def _disk_below_full(scene: Scene) -> None:
    disk: Disk = scene.settings["disk"]
    disk.fill_below(_size_between(scene.choice))
    scene.stack.callback(disk.repair)
    scene.stack.callback(disk.empty)


def _at_a_moment(act: Callable[[Disk], None]) -> Callable[[Scene], Callable[[], None]]:
    def arrange(scene: Scene) -> Callable[[], None]:
        disk: Disk = scene.settings["disk"]
        moment = scene.choice.random() * scene.seconds
        scene.stack.callback(disk.repair)

        def begun() -> None:
            if scene.worker.has_answered(moment):
                raise FaultMissedError
            act(disk)

        return begun

    return arrange


def _needs(kind: Any) -> Callable[[], str]:
    return lambda: disks.why_not(kind)


FAULTS = (
    CrashFault("killed at a moment", 24, killed_at_a_moment, is_killed=True),
    CrashFault("killed at a system call", 24, _killed_at_a_call, is_killed=True, why_not=system_calls.why_not),
    CrashFault("writing fails (EIO, ENOSPC, EDQUOT, EROFS)", 24, _call_fails, why_not=system_calls.why_not),
    CrashFault("reading fails (EIO)", 4, _reading_fails, why_not=system_calls.why_not),
    CrashFault("file size limit of 4 to 800 KB", 30, _file_size_limited, is_large=True),
    CrashFault("full disk (tmpfs)", 8, _disk_full, why_not=_needs("tmpfs"), is_large=True, disk="tmpfs"),
    CrashFault("full disk (ext4)", 8, _disk_full, why_not=_needs("ext4"), is_large=True, disk="ext4"),
    CrashFault(
        "full disk (btrfs, copy on write)", 10, _disk_full, why_not=_needs("btrfs"), is_large=True, disk="btrfs"
    ),
    CrashFault("full disk below a thin one", 6, _disk_below_full, why_not=_needs("thin"), is_large=True, disk="thin"),
    CrashFault("disk turned read-only", 8, _at_a_moment(Disk.turn_read_only), why_not=_needs("ext4"), disk="ext4"),
    CrashFault("power cut", 8, _at_a_moment(Disk.lose_power), why_not=_needs("ext4"), disk="ext4"),
)


@dataclass(frozen=True)
class _Begin:
    """What a case begins from.

    Attributes:
        rows: Rows of January.
        old: Digest of the old January; empty where nothing was loaded before.
        new: Digest of the new one.
        february: Digest of the other month, likewise.
    """

    rows: int
    old: str
    new: str
    february: str

    @property
    def is_first(self) -> bool:
        """Whether nothing was loaded before."""
        return not self.old


class CrashesInDuckDB(Crashes):
    """Crash faults while a month is loaded into DuckDB."""

    name = "crash-duckdb"
    title = "Crash faults: DuckDB"
    warehouse = "duckdb"
    faults = FAULTS

    def __init__(self, *, limit_seconds: float = 120.0) -> None:
        super().__init__(limit_seconds=limit_seconds)
        self._versions: dict[int, tuple[Version, Version]] = {}
        self._seconds: dict[int, float] = {}
        self._february: dict[int, str] = {}

    def lane(self, folder: Path, servers: Servers) -> Lane:
        """A lane, with homes to begin from: months of either size in their old version."""
        lane = super().lane(folder, servers)
        for rows in (SMALL, LARGE):
            self._make_base(lane, rows)
        return lane

    def play(self, fault: CrashFault, choice: random.Random, lane: Lane) -> Judgement:
        """See the base class; a fault that came too late is tried again, for a load whose length is known better."""
        rows = LARGE if fault.is_large or choice.random() < 0.3 else SMALL
        is_first, is_landed = choice.random() < 0.1, choice.random() < 0.4
        for _ in range(_TRIES):
            try:
                return self._try(fault, choice, lane, self._begin(rows, is_first=is_first), is_landed=is_landed)
            except FaultMissedError:
                self._seconds[rows] *= 0.8
        return Outcome.EXACT, "the fault came too late"

    def spoilt(self, lane: Lane) -> None:
        """Nothing of a case is used by the next one."""

    def _begin(self, rows: int, *, is_first: bool) -> _Begin:
        old, new = self._versions[rows]
        if is_first:
            return _Begin(rows, "", new.digest, "")
        return _Begin(rows, old.digest, new.digest, self._february[rows])

    def _try(
        self, fault: CrashFault, choice: random.Random, lane: Lane, begin: _Begin, *, is_landed: bool
    ) -> Judgement:
        with ExitStack() as stack:
            place = lane.folder / "case"
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            disk = stack.enter_context(Disk(fault.disk, place)) if fault.disk else None
            lane.home = disk.folder / "home" if disk else place / "home"
            if begin.is_first:
                lane.home.mkdir(parents=True)
            else:
                shutil.copytree(lane.folder / f"base-{begin.rows}", lane.home)
            lane.temporary.mkdir(exist_ok=True)
            source = lane.folder / f"source-{begin.rows}"
            project = Project(lane.home, {"address": str(source)}, {"duckdb": {}}, lane.temporary)
            worker = Worker(lane.folder, "case")
            if is_landed:
                worker.call(land, project, TAXI, JANUARY, seconds=60)
            scene = Scene(project, lane.home, choice, self._seconds[begin.rows], worker, ExitStack(), {"disk": disk})
            if disk:
                disk.synchronize()  # what was there before the fault is on the disk
            attempt = self.load_with_fault(fault, scene)
            return self._judge_all(fault, attempt, lane, project, begin)

    def _judge_all(
        self, fault: CrashFault, attempt: Attempt | str, lane: Lane, project: Project, begin: _Begin
    ) -> Judgement:
        """Judge what the load said and left, and what the next one makes of it."""
        try:
            held = self.held(lane)
        except CallFailedError as error:
            return self._judge_damaged(lane, project, begin, f"{error} (the fault: {attempt})")
        outcome, note = self.judge(
            fault, attempt, held, old=begin.old, new=begin.new, february=begin.february, where=str(lane.home)
        )
        if outcome is Outcome.WRONG:
            return outcome, note
        later, said = self._judge_next(lane, project, begin)
        return (outcome, note) if later.is_promised else (later, f"{said} (the fault: {note or attempt})")

    def _judge_next(self, lane: Lane, project: Project, begin: _Begin) -> Judgement:
        """Judge the load that follows, without a fault."""
        again = self._load_again(lane, project, begin.rows)
        months = [JANUARY] if begin.is_first else [JANUARY, FEBRUARY]
        left = left_in(lane.home, months)
        return self.judge_again(again, self.held(lane), new=begin.new, february=begin.february, left=left)

    def _judge_damaged(self, lane: Lane, project: Project, begin: _Begin, cause: str) -> Judgement:
        """A file that can't be read: the next load must say what to do, and that must make it again, with all rows."""
        again = self._load_again(lane, project, begin.rows)
        problem = next(iter(again.problems[JANUARY]), None)
        if problem is None or why_no_sentence(problem) or REBUILD not in problem.text:
            return Outcome.WRONG, f"the file is damaged, and the next load says: {problem and problem.text}; {cause}"
        with Worker(lane.folder, "rebuild") as worker:
            said = worker.call(rebuild, project, seconds=self.limit_seconds)
        held = self.held(lane)
        if said or held.digests.get(JANUARY) not in (begin.old, begin.new):
            return Outcome.WRONG, f"the file is damaged, and {REBUILD} does not make it again: {said}; {cause}"
        if held.digests.get(FEBRUARY, "") != begin.february:
            return Outcome.WRONG, f"the file is damaged, and {REBUILD} leaves out the other month; {cause}"
        later, said = self._judge_next(lane, project, begin)
        return (Outcome.REFUSED, REBUILT) if later.is_promised else (later, f"{said} (after {REBUILD}; {cause})")

    def _load_again(self, lane: Lane, project: Project, rows: int) -> Attempt:
        with Worker(lane.folder, "again") as worker:
            again: Attempt = worker.call(load, project, TAXI, [JANUARY], seconds=self.limit_seconds)
        # Loads of the same size take as long as this one, on a machine that is as busy as it was then.
        self._seconds[rows] = 0.5 * (self._seconds[rows] + again.seconds)
        return again

    def _make_base(self, lane: Lane, rows: int) -> None:
        if rows not in self._versions:
            self._versions[rows] = version_of(rows, number=0), version_of(rows, number=1)
        old, new = self._versions[rows]
        source, lane.home = lane.folder / f"source-{rows}", lane.folder / f"base-{rows}"
        lane.home.mkdir()
        put(source, FEBRUARY, sound_csv_gz(TAXI, rows // 2, FEBRUARY))
        put(source, JANUARY, old.file)
        project = Project(lane.home, {"address": str(source)}, {"duckdb": {}}, None)
        with Worker(lane.folder, "base") as worker:
            first: Attempt = worker.call(load, project, TAXI, [JANUARY, FEBRUARY], seconds=self.limit_seconds)
        held = self.held(lane)
        if not first.is_done or held.digests.get(JANUARY) != old.digest:
            raise ProcessHungError(f"a load without a fault did not lead to its months: {first.problems}")
        self._seconds[rows] = first.seconds / 2
        self._february[rows] = held.digests[FEBRUARY]
        put(source, JANUARY, new.file)
