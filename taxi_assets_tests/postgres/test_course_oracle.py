"""Real months come out as the course's own SQL makes them, on the same server: ids, values and counts."""

from __future__ import annotations

import psycopg
import pytest

from taxi_assets.months import parse_month_range
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.postgres.course_oracle import MAIN, load_as_the_course_does, same_types
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import GREEN, JANUARY, YELLOW

VECTORS = {
    "bb931218-17ed-8889-31df-19c1fc37dee8": "2020-10-01 00:31:19",
    "fc3df447-4fee-4387-ef8c-1a119610ac5b": "2020-10-11 15:59:00",
}


@pytest.fixture
def real(project: PostgresProject) -> PostgresProject:
    project.address = str(REAL_DATA / "source")
    return project


def only_in(connection: psycopg.Connection, taxi: Taxi, one: str, other: str, where: str = "") -> int:
    columns = same_types(taxi)
    statement = (
        f"SELECT count(*) FROM (SELECT {columns} FROM {one} {where} EXCEPT ALL SELECT {columns} FROM {other}) AS d"
    )
    return connection.execute(statement.encode()).fetchall()[0][0]


def count(connection: psycopg.Connection, what: str, table: str) -> int:
    return connection.execute(f"SELECT count({what}) FROM {table}".encode()).fetchall()[0][0]


@needs_real_data
@pytest.mark.parametrize(("taxi_name", "months"), [("green", "2020-10"), ("yellow", "2019-01...2019-02")])
def test_ids_and_values_are_those_of_the_course(
    real: PostgresProject, somebody: psycopg.Connection, taxi_name: str, months: str
):
    taxi = get_taxi(taxi_name)
    outcome = real.run(months, taxi)
    assert outcome.success
    assert all(check.passed for check in outcome.checks(f"postgres/{taxi.table}").values())
    for _ in range(2):  # the course's own reruns add nothing either
        for month in parse_month_range(months):
            load_as_the_course_does(somebody, taxi, month, REAL_DATA / "source" / taxi.file_path(month))
        rows = count(somebody, "*", taxi.table)
        assert rows == count(somebody, "*", MAIN)
        # Of rows that agree in all seven values the course gives all the same id; ours differ from the second on.
        repeated = rows - count(somebody, "DISTINCT unique_row_id", MAIN)
        assert count(somebody, "DISTINCT unique_row_id", taxi.table) == rows
        assert only_in(somebody, taxi, taxi.table, MAIN) == repeated
        assert only_in(somebody, taxi, MAIN, taxi.table) == repeated
    if taxi is GREEN:
        assert_known_of_october(real)


def assert_known_of_october(real: PostgresProject) -> None:
    """The published count and known sums of the real month, and the ids of two trips."""
    totals = real.query("SELECT count(*), sum(total_amount)::text, sum(fare_amount)::text FROM green_tripdata")
    ((rows, total, fares),) = totals
    assert (rows, float(total), float(fares)) == (95_120, 2_196_773.09, 1_858_962.17)
    found = real.query(
        "SELECT unique_row_id::text, lpep_pickup_datetime::text FROM green_tripdata"
        " WHERE unique_row_id = ANY(%s::uuid[])",
        list(VECTORS),
    )
    assert dict(found) == VECTORS


@needs_real_data
def test_a_year_is_counted_by_file_name(real: PostgresProject):
    assert real.run("2019-12...2020-02", YELLOW, checks=False).success
    assert real.query("SELECT count(*) FROM yellow_tripdata WHERE filename LIKE 'yellow_tripdata_2020-%'") == [
        (20_000,)
    ]


@needs_real_data
def test_the_real_zones_are_all_there(real: PostgresProject):
    assert real.run_zones().success
    assert real.query("SELECT count(*), count(DISTINCT locationid) FROM taxi_zones") == [(265, 265)]
    assert real.query("SELECT borough, zone, service_zone FROM taxi_zones WHERE locationid = 132") == [
        ("Queens", "JFK Airport", "Airports")
    ]


def test_the_course_keeps_what_vanished_and_ours_does_not(project: PostgresProject, somebody: psycopg.Connection):
    """The one difference by design: a file that was published anew replaces its month."""
    for count_of_trips in (60, 40):
        path = project.put(made_trips(GREEN, JANUARY, count_of_trips))
        assert project.run(checks=False).success
        load_as_the_course_does(somebody, GREEN, JANUARY, path)
    assert count(somebody, "*", "green_tripdata") == 40
    assert count(somebody, "*", MAIN) == 60
