"""Materializing a month makes the main table's slice exactly its file's rows, value by value, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets_tests.csv_files import Trip, made_trips, put_sample, read_trips
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Outcome, Project

_TYPED = {"integer": int, "decimal": Decimal, "timestamp": datetime.fromisoformat, "text": str}


def values_of_file(taxi: Taxi, trips: Iterable[Trip]) -> Counter[tuple[Any, ...]]:
    """The rows of a file with each text turned into its exact value, by Python alone."""
    converters = [(column.name, _TYPED[column.kind]) for column in taxi.release_columns]
    return Counter(
        tuple(as_value(trip[name]) if trip[name] else None for name, as_value in converters) for trip in trips
    )


def values_of_table(taxi: Taxi, rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in taxi.header) for row in rows)


def changes(outcome: Outcome, month: Month = JANUARY, taxi: Taxi = GREEN) -> tuple[int, int, int]:
    """Rows inserted, updated and deleted, as the main table's materialization says."""
    merged = outcome.materialized(f"duckdb/{taxi.table}")[str(month)]
    return merged["inserted"], merged["updated"], merged["deleted"]


def test_the_first_load_inserts_the_file(project: Project):
    trips = made_trips(GREEN, JANUARY, 60)
    project.put(trips)
    outcome = project.run()
    rows = project.rows("green_tripdata")
    assert changes(outcome) == (60, 0, 0)
    assert values_of_table(GREEN, rows) == values_of_file(GREEN, trips)
    assert {(row["filename"], row["file_month"]) for row in rows} == {("green_tripdata_2019-01.csv", date(2019, 1, 1))}


def test_running_again_changes_nothing_and_says_so(loaded: Project):
    before = loaded.everything()
    outcome = loaded.run("2019-01...2019-02")
    assert [changes(outcome, month) for month in (JANUARY, FEBRUARY)] == [(0, 0, 0)] * 2
    assert loaded.everything() == before


def test_new_corrected_and_vanished_rows_are_counted_and_the_slice_is_the_file(loaded: Project):
    trips = made_trips(GREEN, JANUARY, 67)[5:]  # five vanish, seven are new
    for trip in trips[:3]:
        trip["tip_amount"] = "9.99"  # corrected: the tip is no part of a trip's id
    trips[3]["ehail_fee"] = ""  # from a value to none
    trips[4]["fare_amount"] = "77.7"  # the fare is part of the id, so this is one trip less and another one more
    loaded.put(trips)
    assert changes(loaded.run()) == (7 + 1, 3 + 1, 5 + 1)
    january = [row for row in loaded.rows("green_tripdata") if row["file_month"] == JANUARY.first_day]
    assert values_of_table(GREEN, january) == values_of_file(GREEN, trips)
    assert changes(loaded.run()) == (0, 0, 0)


def test_other_months_and_the_other_taxi_are_untouched(loaded: Project):
    loaded.put(made_trips(YELLOW, JANUARY, 30), JANUARY, YELLOW)
    assert loaded.run(taxi=YELLOW).success
    february, yellow = loaded.rows("green_tripdata_2019_02"), loaded.rows("yellow_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 3))
    assert loaded.run().success
    assert loaded.rows("green_tripdata_2019_02") == february
    assert loaded.rows("yellow_tripdata") == yellow
    assert len(loaded.rows("green_tripdata")) == 63


def test_a_month_that_shrinks_by_one_of_two_identical_rows_loses_one(loaded: Project):
    trips = made_trips(GREEN, JANUARY, 60)
    loaded.put([*trips, trips[7], trips[7]])
    assert changes(loaded.run()) == (2, 0, 0)
    loaded.put([*trips, trips[7]])
    assert changes(loaded.run()) == (0, 0, 1)
    assert len(loaded.rows("green_tripdata_2019_01")) == 61


def test_a_pickup_outside_the_month_stays_with_its_file_and_never_multiplies(project: Project):
    strays = ["2009-01-01 00:00:00", "2018-12-31 23:59:59", "2019-02-01 00:00:00", "2041-08-17 16:24:45"]
    for month in (JANUARY, FEBRUARY):
        trips = made_trips(GREEN, month, 20)
        for trip, pickup in zip(trips, strays, strict=False):
            trip["lpep_pickup_datetime"] = pickup
        project.put(trips, month)
    for expected in [(20, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)]:
        outcome = project.run("2019-01...2019-02")
        assert [changes(outcome, month) for month in (JANUARY, FEBRUARY)] == [expected] * 2
        assert len(project.rows("green_tripdata")) == 40
    records = outcome.checks("duckdb/green_tripdata_month")["pickups_are_in_month"].metadata["months"].records
    # The first of February lies inside the second file's month.
    assert [record.data["pickup outside the month"] for record in records] == ["4", "3"]


def test_after_the_merge_the_months_own_name_is_a_view_and_nothing_is_stored_twice(loaded: Project):
    everything = loaded.everything()
    assert sorted(name for name in everything if "tripdata" in name) == [
        "BASE TABLE green_tripdata",
        "VIEW green_tripdata_2019_01",
        "VIEW green_tripdata_2019_02",
    ]
    parts = everything["VIEW green_tripdata_2019_01"] + everything["VIEW green_tripdata_2019_02"]
    assert Counter(parts) == Counter(everything["BASE TABLE green_tripdata"])


@pytest.mark.parametrize("taxi", [GREEN, YELLOW], ids=lambda taxi: taxi.name)
def test_every_value_of_a_sample_month_is_in_the_table_unchanged(project: Project, taxi: Taxi):
    path = put_sample(project.source, taxi, JANUARY, 8_000)
    assert project.run(taxi=taxi).success
    assert values_of_table(taxi, project.rows(taxi.table)) == values_of_file(taxi, read_trips(path))


def test_amounts_at_the_limits_are_kept_to_the_last_digit(project: Project):
    amounts = [
        "9999999999.9999",
        "-9999999999.9999",
        "0.0001",
        "-.0001",
        "0.1",
        "0.7",
        "1.005",
        "19.9999",
        "-0.0",
        "1E2",
    ]
    trips = made_trips(GREEN, JANUARY, len(amounts))
    for trip, amount in zip(trips, amounts, strict=True):
        trip["total_amount"] = amount
    project.put(trips)
    assert project.run().success
    assert values_of_table(GREEN, project.rows("green_tripdata")) == values_of_file(GREEN, trips)


def _real_months() -> list[tuple[str, str]]:
    files = sorted(REAL_DATA.glob("source/*/*.csv.gz")) if REAL_DATA is not None else []
    return [(path.parent.name, path.name.removesuffix(".csv.gz").rpartition("_")[2]) for path in files]


@needs_real_data
@pytest.mark.parametrize("name", ["green", "yellow"])
def test_every_value_of_every_real_month_is_in_the_table_unchanged(tmp_path: Path, name: str):
    """Month by month within one test, so that tests in parallel share the work by taxi."""
    assert REAL_DATA is not None
    project = Project(tmp_path, address=str(REAL_DATA / "source"))
    taxi = {"green": GREEN, "yellow": YELLOW}[name]
    for month in (Month.parse(month) for of_taxi, month in _real_months() if of_taxi == name):
        outcome = project.run(str(month), taxi, checks=False)
        expected = values_of_file(taxi, read_trips(REAL_DATA / "source" / taxi.file_path(month)))
        assert changes(outcome, month, taxi) == (expected.total(), 0, 0)
        assert name == "green" or expected.total() == 10_000
        assert values_of_table(taxi, project.rows(taxi.month_table(month))) == expected


@needs_real_data
def test_the_real_october_has_the_known_sums(tmp_path: Path):
    assert REAL_DATA is not None
    project = Project(tmp_path, address=str(REAL_DATA / "source"))
    outcome = project.run("2020-10")
    assert changes(outcome, Month(2020, 10)) == (95_120, 0, 0)
    rows = project.rows("green_tripdata")
    assert len(rows) == 95_120
    assert sum(row["total_amount"] for row in rows) == Decimal("2196773.09")
    assert sum(row["fare_amount"] for row in rows) == Decimal("1858962.17")
    assert sum(row["fare_amount"] < 0 for row in rows) == 189
    assert sum((row["lpep_pickup_datetime"].year, row["lpep_pickup_datetime"].month) != (2020, 10) for row in rows) == 9
    checks = outcome.checks("duckdb/green_tripdata_month")
    assert checks["pickups_are_in_month"].metadata["pickup outside the month"].value == 9
    assert checks["values_are_plausible"].metadata["fare_amount below 0"].value == 189
    assert checks["rows_match_published"].metadata["published rows"].value == 95_120
