"""A process that is killed while it loads leaves the old month or the new one, and the next run needs no help."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from taxi_assets.source.raw_files import trip_file
from taxi_assets_tests.csv_files import csv_bytes, put_csv, put_sample, read_trips
from taxi_assets_tests.killing import Loads, moments
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Project, processes

ROWS = 40_000
MOMENTS = 18
PARTS = 3  # tests that share the moments, so that they can run in parallel


@dataclass(frozen=True)
class Versions:
    """A project whose warehouse holds the old January while its source offers the new one.

    Attributes:
        project: Where children load and are killed.
        loads: Those children.
        spare: A copy of its home, to begin again with.
        old: Digest of the main table with the old January.
        new: Digest of the main table with the new one.
    """

    project: Project
    loads: Loads
    spare: Path
    old: tuple[int, int]
    new: tuple[int, int]

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
    loads = Loads(project.folder)
    loads.finish_one()
    return Versions(project, loads, spare, old, project.digest("green_tripdata"))


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_main_is_the_old_month_or_the_new_one(versions: Versions, part: int):
    project = versions.project
    assert versions.old != versions.new
    left = moments(MOMENTS, part=part, parts=PARTS)
    while left:
        versions.restore()
        if versions.loads.kill_one(left[0]):
            moment = left.pop(0)
            after = project.digest("green_tripdata")
            assert after in (versions.old, versions.new), f"neither old nor new after moment {moment}: {after}"
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == versions.new
        assert project.landed_names() == [
            *("green_tripdata_2019-01.csv.gz", "green_tripdata_2019-01.csv.gz.json"),
            *("green_tripdata_2019-02.csv.gz", "green_tripdata_2019-02.csv.gz.json"),
        ]


def test_killed_during_the_first_load_ever_the_next_run_begins_anew(tmp_path: Path):
    project, loads = Project(tmp_path), Loads(tmp_path)
    put_sample(project.source, GREEN, JANUARY, 5_000)
    loads.finish_one()
    whole = project.digest("green_tripdata")
    left = moments(8, part=0, parts=1)
    while left:
        shutil.rmtree(project.home)
        if loads.kill_one(left[0]):
            del left[0]
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == whole


def _die_after_loading(folder: Path) -> None:
    """In a child process whose files are usually readable by everybody: load January, and be killed."""
    os.umask(0o022)
    project, log = Project(folder), logging.getLogger(__name__)
    current = project.trip_source().current(trip_file(GREEN, JANUARY))
    with project.warehouse().session(log):
        project.warehouse().load_month(GREEN, JANUARY, current, log)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_load_leaves_is_for_its_owner_only(loaded: Project):
    """Even in a folder that others may look into."""
    loaded.home.chmod(0o755)
    loaded.warehouse().remove_month(GREEN, JANUARY, logging.getLogger(__name__))
    child = processes().Process(target=_die_after_loading, args=(loaded.folder,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in loaded.home.glob("warehouse*") if file.is_file()}
    assert modes == {"warehouse.duckdb": 0o600, "warehouse.duckdb.wal": 0o600}
