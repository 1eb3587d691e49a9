"""Other versions of PostgreSQL do as well as the one that the other tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_services.postgres import wheel_programs
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject, changes
from taxi_assets_tests.postgres.server import other_programs, running_server
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

WHERE = {"installed": other_programs, "the wheel's 16": lambda: wheel_programs(16)}


@pytest.fixture(params=WHERE)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PostgresProject]:
    """A project on a server of another version."""
    programs = WHERE[request.param]()
    if programs is None:
        pytest.skip("no other PostgreSQL here: put one in the PATH or name its folder in TAXI_TEST_POSTGRES_BIN")
    with running_server(programs) as server:
        yield PostgresProject(tmp_path, server.url, "trips")


def test_another_version_loads_replaces_checks_and_hands_out(elsewhere: PostgresProject):
    for month in (JANUARY, FEBRUARY):
        elsewhere.put(made_trips(GREEN, month, 60), month)
    outcome = elsewhere.run("2019-01...2019-02")
    assert outcome.success
    assert outcome.checks("postgres/green_tripdata")["rows_match_file"].passed
    elsewhere.query("CREATE VIEW mine AS SELECT count(*) AS trips FROM green_tripdata")
    elsewhere.query("CREATE INDEX by_place ON green_tripdata (pulocationid)")
    elsewhere.put(made_trips(GREEN, JANUARY, 70)[5:])
    assert changes(elsewhere) == [(10, 0, 5)]
    assert changes(elsewhere) == [(0, 0, 0)]
    assert elsewhere.query("SELECT trips FROM mine") == [(125,)]
    assert len(elsewhere.postgres().read("green_tripdata", [JANUARY]).df()) == 65
    elsewhere.put_zones()
    assert elsewhere.run_zones().success
    assert elsewhere.tables() == [
        "green_tripdata",
        "green_tripdata_2019_01",
        "green_tripdata_2019_02",
        "mine",
        "taxi_zones",
    ]
