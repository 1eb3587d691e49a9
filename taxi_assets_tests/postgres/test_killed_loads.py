"""A process that is killed while it loads leaves the old month or the new one, and the next load needs no help."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from taxi_assets_tests.csv_files import put_bytes, put_sample
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, processes

ROWS = 3_000
MOMENTS = 20
LIVES = 1.1  # moments go beyond a life that was measured, since later ones may be slower
PARTS = 2  # tests that share the moments, so that they can run in parallel
TABLES = ["green_tripdata", "green_tripdata_2019_01", "green_tripdata_2019_02"]


def _load(folder: Path, url: str, schema: str, begin: Connection) -> None:
    """In a child process: say that the load begins, and load."""
    # A run that finds nothing to land brings in all that a process needs once, so that kills fall into the load.
    (folder / "nothing").mkdir(exist_ok=True)
    assert not PostgresProject(folder / "nothing", url, schema).run(stages=("raw",)).success
    project = PostgresProject(folder, url, schema)
    begin.send("begin")
    assert project.run(checks=False).success


@contextmanager
def loading(project: PostgresProject) -> Iterator[BaseProcess]:
    """A child process that is just beginning to load January."""
    context = processes()
    mine, its = context.Pipe()
    child = context.Process(target=_load, args=(project.folder, project.url, project.schema, its))
    child.start()
    its.close()
    mine.recv()
    yield child
    child.join()
    mine.close()


def seconds_of_a_life(project: PostgresProject) -> float:
    with loading(project) as child:
        start = time.monotonic()
    assert child.exitcode == 0
    return time.monotonic() - start


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_main_is_the_old_month_or_the_new_one(project: PostgresProject, part: int):
    put_sample(project.source, GREEN, FEBRUARY, 300)
    versions = [put_sample(project.source, GREEN, JANUARY, rows).read_bytes() for rows in (ROWS, ROWS - 200)]
    assert project.run("2019-01...2019-02", checks=False).success
    old = project.digest("green_tripdata")
    put_bytes(project.source, GREEN, JANUARY, versions[0])
    seconds = seconds_of_a_life(project)
    old, new = project.digest("green_tripdata"), old
    killed = 0
    for turn, moment in enumerate(range(part, MOMENTS, PARTS)):
        put_bytes(project.source, GREEN, JANUARY, versions[(turn + 1) % 2])
        with loading(project) as child:
            time.sleep(seconds * LIVES * (moment + 0.5) / MOMENTS)
            child.kill()
        killed += child.exitcode == -signal.SIGKILL
        after = project.digest("green_tripdata")
        assert after in (old, new), f"neither old nor new after moment {moment}: {after}"
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == new
        assert project.tables() == TABLES
        old, new = new, old
    assert killed >= MOMENTS // PARTS / 2


def test_killed_during_the_first_load_ever_the_next_one_begins_anew(project: PostgresProject):
    put_sample(project.source, GREEN, JANUARY, ROWS)
    assert project.run(checks=False).success
    whole = project.digest("green_tripdata")
    for moment in range(4):
        project.query(f"DROP SCHEMA {project.schema} CASCADE")
        with loading(project) as child:
            time.sleep(0.08 * moment)
            child.kill()
        assert project.digest("green_tripdata") in ((0, 0), whole)
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == whole
        assert project.tables() == TABLES[:2]
