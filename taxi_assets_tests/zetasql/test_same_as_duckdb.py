"""Google's own SQL engine computes the rows and ids of a month that DuckDB loads, by BigQuery's statement."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets_tests.csv_files import made_trips, put_sample, put_trips
from taxi_assets_tests.feed.parquet_files import feed_table, put_feed, with_column, with_value
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN, JANUARY, YELLOW
from taxi_assets_tests.zetasql.catalog import TAXIS
from taxi_assets_tests.zetasql.months import in_bigquery, in_duckdb, landed
from taxi_assets_tests.zetasql.running import ZetaSQL

pytestmark = pytest.mark.xdist_group("zetasql")
each_taxi = pytest.mark.parametrize("taxi", TAXIS, ids=lambda taxi: taxi.name)

ROWS = 120


def assert_same(zetasql: ZetaSQL, taxi: Taxi, path: Path, rows: int, month: Month = JANUARY) -> None:
    """Each row and id of a file is the same in both."""
    file = landed(path, taxi)
    here = in_duckdb(taxi, month, file)
    assert len(here) == rows
    assert in_bigquery(zetasql, taxi, month, file) == here


@each_taxi
def test_trips_of_a_csv_and_their_ids(zetasql: ZetaSQL, taxi: Taxi, tmp_path: Path):
    assert_same(zetasql, taxi, put_sample(tmp_path, taxi, taxi.first_month, ROWS), ROWS, taxi.first_month)


@each_taxi
def test_trips_of_a_parquet_file_and_their_ids(zetasql: ZetaSQL, taxi: Taxi, tmp_path: Path):
    table = feed_table(taxi, JANUARY, ROWS)
    for column in taxi.columns:
        if not column.required:
            # A null in each column, each in a row of its own.
            table = with_value(table, column.name, None, row=taxi.columns.index(column))
    assert_same(zetasql, taxi, put_feed(tmp_path, taxi, JANUARY, table), ROWS)


@each_taxi
def test_trips_that_agree_in_all_that_identifies_them(zetasql: ZetaSQL, taxi: Taxi, tmp_path: Path):
    (trip,) = made_trips(taxi, JANUARY, 1)
    # A taxi may be identified by all of its columns.
    others = [column for column in taxi.release_columns if column not in taxi.identity_columns][-1:]
    texts = {"integer": ["", "2", "10"], "decimal": ["", "-2.5", "10"], "text": ["", "é", "Z"]}
    trips = [trip, *(trip | {other.name: value} for other in others for value in texts[other.kind]), trip]
    assert_same(zetasql, taxi, put_trips(tmp_path, taxi, JANUARY, trips), len(trips))


def test_columns_of_other_types_and_names_than_those_of_most_months(zetasql: ZetaSQL, tmp_path: Path):
    table = feed_table(YELLOW, JANUARY, 60)
    table = with_column(table, "airport_fee", pa.float64(), called="Airport_fee")
    table = with_column(table, "store_and_fwd_flag", pa.null())
    table = with_column(table, "payment_type", pa.int8())
    table = with_column(table, "RatecodeID", pa.float64())
    table = with_column(table, "surge_fee", pa.array([1.5] * 60))
    table = with_column(table, "extra", pa.array([0.5, 838860.8125] * 30, pa.float32()))
    table = with_column(table, "fare_amount", pa.decimal128(10, 2))
    table = with_column(table, "tolls_amount", pa.array([0, 6, None] * 20))
    table = with_column(table, YELLOW.pickup, pa.timestamp("us", "UTC"))
    table = with_value(table, "tip_amount", 0.1 + 0.2, row=4)
    assert_same(zetasql, YELLOW, put_feed(tmp_path, YELLOW, JANUARY, table), 60)


@pytest.mark.parametrize("unit", ["us", "ms"])
def test_a_moment_does_not_depend_on_the_time_zone_of_the_session(zetasql: ZetaSQL, tmp_path: Path, unit: str):
    table = feed_table(GREEN, JANUARY, 60)
    # In New York and Los Angeles, an hour that comes twice and one that does not exist.
    moments = ["2019-11-03 01:30:00", "2019-03-10 02:30:00", "2019-12-31 23:59:59", "1970-01-01 00:00:00"]
    moments += ["0001-01-01 00:00:00", "9999-12-31 23:59:59"]
    times = pa.array((moments * 60)[:60]).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
    assert_same(zetasql, GREEN, put_feed(tmp_path, GREEN, JANUARY, with_column(table, GREEN.pickup, times)), 60)


@needs_real_data
@pytest.mark.parametrize(("taxi", "month"), [(GREEN, "2020-10"), (YELLOW, "2019-02")], ids=["green", "yellow"])
def test_trips_of_a_published_csv(zetasql: ZetaSQL, taxi: Taxi, month: str, tmp_path: Path):
    assert REAL_DATA is not None
    path = tmp_path / "trips.csv.gz"
    name = taxi.file_path(Month.parse(month))
    with gzip.open(REAL_DATA / "source" / name) as published, gzip.open(path, "wb") as part:
        part.write(published.readline())
        part.writelines(islice(published, 0, 50 * ROWS, 50))
    assert_same(zetasql, taxi, path, ROWS, Month.parse(month))


@needs_real_data
@pytest.mark.parametrize("month", ["2021-01", "2025-10"])
def test_trips_of_a_published_parquet_file(zetasql: ZetaSQL, month: str, tmp_path: Path):
    assert REAL_DATA is not None
    published = pq.read_table(REAL_DATA / "parquet" / f"green_tripdata_{month}.parquet")
    part = published.take([number * (len(published) // ROWS) for number in range(ROWS)])
    assert_same(zetasql, GREEN, put_feed(tmp_path, GREEN, JANUARY, part), ROWS)
