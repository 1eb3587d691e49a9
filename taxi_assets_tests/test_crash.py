"""A process that is killed while it loads leaves the old month or the new one, and the next run needs no help."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from taxi_assets_tests.csv_files import csv_bytes, put_csv, put_sample, read_trips
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Project, processes

ROWS = 40_000
MOMENTS = 30
LIVES = 1.1  # moments go beyond a life that was measured, since later ones may be slower
PARTS = 3  # tests that share the moments, so that they can run in parallel


def _load(folder: Path, begin: Connection) -> None:
    """In a child process: say that the load begins, and load."""
    # A run that finds nothing to land brings in all that a process needs once, so that kills fall into the load.
    (folder / "nothing").mkdir(exist_ok=True)
    assert not Project(folder / "nothing").run(stages=("raw",)).success
    project = Project(folder)
    begin.send("begin")
    assert project.run(checks=False).success


@contextmanager
def loading(project: Project) -> Iterator[BaseProcess]:
    """A child process that is just beginning to load January."""
    context = processes()
    mine, its = context.Pipe()
    child = context.Process(target=_load, args=(project.folder, its))
    child.start()
    its.close()
    mine.recv()
    yield child
    child.join()
    mine.close()


@dataclass(frozen=True)
class Versions:
    """A project whose warehouse holds the old January while its source offers the new one.

    Attributes:
        project: Where children load and are killed.
        spare: A copy of its home, to begin again with.
        old: Digest of the main table with the old January.
        new: Digest of the main table with the new one.
        seconds: How long a child that is left alone takes.
    """

    project: Project
    spare: Path
    old: tuple[int, int]
    new: tuple[int, int]
    seconds: float

    def restore(self) -> None:
        shutil.rmtree(self.project.home)
        shutil.copytree(self.spare, self.project.home)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    project = Project(tmp_path_factory.mktemp("killed"))
    put_sample(project.source, GREEN, FEBRUARY, 5_000)
    january = put_sample(project.source, GREEN, JANUARY, ROWS)
    assert project.run("2019-01...2019-02", checks=False).success
    old = project.digest("green_tripdata")
    spare = project.folder / "spare"
    shutil.copytree(project.home, spare)
    trips = read_trips(january)
    for trip in trips[: ROWS // 4]:
        trip["tip_amount"] = "77.77"
    put_csv(project.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips[: -ROWS // 4]))
    with loading(project) as child:
        start = time.monotonic()
        child.join()
        seconds = time.monotonic() - start
    assert child.exitcode == 0
    return Versions(project, spare, old, project.digest("green_tripdata"), seconds)


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_main_is_the_old_month_or_the_new_one(versions: Versions, part: int):
    project = versions.project
    assert versions.old != versions.new
    killed = 0
    for moment in range(part, MOMENTS, PARTS):
        versions.restore()
        with loading(project) as child:
            time.sleep(versions.seconds * LIVES * (moment + 0.5) / MOMENTS)
            child.kill()
        killed += child.exitcode == -signal.SIGKILL
        after = project.digest("green_tripdata")
        assert after in (versions.old, versions.new), f"neither old nor new after moment {moment}: {after}"
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == versions.new
        assert project.landed_names() == [
            *("green_tripdata_2019-01.csv.gz", "green_tripdata_2019-01.csv.gz.json"),
            *("green_tripdata_2019-02.csv.gz", "green_tripdata_2019-02.csv.gz.json"),
        ]
    assert killed >= MOMENTS // PARTS / 2


def test_killed_during_the_first_load_ever_the_next_run_begins_anew(versions: Versions, tmp_path: Path):
    project = Project(tmp_path)
    put_sample(project.source, GREEN, JANUARY, 5_000)
    assert project.run(checks=False).success
    whole = project.digest("green_tripdata")
    for moment in range(8):
        shutil.rmtree(project.home)
        with loading(project) as child:
            time.sleep(versions.seconds * moment / 8)
            child.kill()
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == whole
