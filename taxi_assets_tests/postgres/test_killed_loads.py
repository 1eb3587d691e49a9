"""A process that is killed while it loads leaves the old month or the new one, and the next load needs no help."""

from __future__ import annotations

from functools import partial

import pytest

from taxi_assets_tests.csv_files import put_bytes, put_sample
from taxi_assets_tests.killing import Loads, moments
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

ROWS = 3_000
MOMENTS = 12
PARTS = 2  # tests that share the moments, so that they can run in parallel
TABLES = ["green_tripdata", "green_tripdata_2019_01", "green_tripdata_2019_02"]


@pytest.fixture
def loads(project: PostgresProject) -> Loads:
    return Loads(project.folder, partial(PostgresProject, url=project.url, schema=project.schema))


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_main_is_the_old_month_or_the_new_one(project: PostgresProject, loads: Loads, part: int):
    put_sample(project.source, GREEN, FEBRUARY, 300)
    versions = [put_sample(project.source, GREEN, JANUARY, rows).read_bytes() for rows in (ROWS, ROWS - 200)]
    assert project.run("2019-01...2019-02", checks=False).success
    old = project.digest("green_tripdata")
    put_bytes(project.source, GREEN, JANUARY, versions[0])
    loads.finish_one()
    new = project.digest("green_tripdata")
    assert new != old
    left = moments(MOMENTS, part=part, parts=PARTS)
    while left:
        versions.reverse()
        old, new = new, old
        put_bytes(project.source, GREEN, JANUARY, versions[0])
        if loads.kill_one(left[0]):
            moment = left.pop(0)
            after = project.digest("green_tripdata")
            assert after in (old, new), f"neither old nor new after moment {moment}: {after}"
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == new
        assert project.tables() == TABLES


def test_killed_during_the_first_load_ever_the_next_one_begins_anew(project: PostgresProject, loads: Loads):
    put_sample(project.source, GREEN, JANUARY, ROWS)
    loads.finish_one()
    whole = project.digest("green_tripdata")
    left = moments(4, part=0, parts=1)
    while left:
        project.query(f"DROP SCHEMA {project.schema} CASCADE")
        if loads.kill_one(left[0]):
            del left[0]
            assert project.digest("green_tripdata") in ((0, 0), whole)
        assert project.run(checks=False).success
        assert project.digest("green_tripdata") == whole
        assert project.tables() == TABLES[:2]
