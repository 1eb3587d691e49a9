"""A process that is killed while it writes the lake leaves the old month or the new one, and the next needs no help."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.project import GREEN, JANUARY, processes

CHANGES: Final = frozenset({"os.link", "os.symlink", "os.rename", "os.remove", "os.mkdir", "os.utime", "os.chmod"})
"""What Python reports to an audit hook before it changes a folder."""

EVERY: Final = 5
"""One of so many changes is the last that a load does not make."""


def _load(folder: Path, lake: Path, moment: int, pipe: Connection) -> None:
    """In a child process: load January, and be killed before a change of the lake; or tell how many there are."""
    project = LakeProject(folder)
    project.root = lake
    numbers = count()

    def kill_at_moment(event: str, arguments: tuple[Any, ...]) -> None:
        paths = (str(each) for each in arguments[:2])
        if event in CHANGES and any(str(project.root) in path for path in paths) and next(numbers) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill_at_moment)
    project.load()
    pipe.send(next(numbers))


def _load_in_child(project: LakeProject, moment: int = -1) -> int | None:
    """Load in a child process, and return how many changes it made; None if it was killed."""
    mine, its = processes("taxi_assets_tests.lake.project").Pipe()
    child = processes().Process(target=_load, args=(project.folder, project.root, moment, its))
    child.start()
    its.close()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return int(mine.recv()) if child.exitcode == 0 else None


def test_killed_before_any_change_of_the_lake_main_is_the_old_month_or_the_new_one(loaded: LakeProject) -> None:
    sizes = {60: 80, 80: 60}
    rows = 60
    loaded.put(made_trips(GREEN, JANUARY, 80))
    changes = _load_in_child(loaded)
    assert changes is not None
    assert changes > 20
    seen = set()
    for moment in range(0, changes, EVERY):
        rows = sizes[rows]
        old, new = loaded.digest("green_tripdata"), sizes[rows]
        loaded.put(made_trips(GREEN, JANUARY, new))
        assert _load_in_child(loaded, moment) is None
        after = loaded.digest("green_tripdata")
        assert after == old or after[0] == 60 + new, f"neither old nor new after moment {moment}"
        assert set(loaded.months()) == {"file_month=2019-01-01", "file_month=2019-02-01"}
        seen.add(after == old)
        loaded.load()
        assert loaded.digest("green_tripdata")[0] == 60 + new
        assert loaded.months("green_tripdata_month") == []
        assert list((loaded.root / "versions" / ".drafts").glob("*/")) == []
    assert seen == {True, False}, "the moments are on both sides of the merge"


def test_killed_during_the_first_load_ever_the_next_one_begins_anew(project: LakeProject) -> None:
    project.put(made_trips(GREEN, JANUARY, 30))
    for moment in (0, 8, 16, 24):
        project.root = project.home / f"lake{moment}"
        assert _load_in_child(project, moment) is None
        assert project.load() in ((30, 0, 0), (0, 0, 0))
        assert project.digest("green_tripdata")[0] == 30
