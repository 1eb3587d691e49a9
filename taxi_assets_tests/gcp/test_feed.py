"""Months of the feed in Google Cloud: the Parquet file as it is, and the same trips as in DuckDB. (Emulator tests.)"""

from __future__ import annotations

import shutil
from logging import getLogger
from pathlib import Path

import pyarrow as pa
import pytest
from typing_extensions import override

from emulators.running import Emulators
from taxi_assets.months import Month
from taxi_assets.source.landing_bucket import BucketLandingZone
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import bigquery as cloud
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.feed.parquet_files import feed_table, with_column, with_value
from taxi_assets_tests.feed.project import AUTUMN, FedProject
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN, JANUARY, YELLOW

LOG = getLogger(__name__)
BOTH = (embedded.WAREHOUSE, cloud.WAREHOUSE)
FEE = "cbd_congestion_fee"
PLAIN = feed_table(GREEN, AUTUMN, 60)


class GcpFedProject(FedProject, GcpProject):
    """A project that takes its months from the feed and loads them into BigQuery."""

    @override
    def object_of(self, month: Month = AUTUMN, taxi: Taxi = GREEN):
        return self.storage_client().bucket(self.bucket).get_blob(taxi.feed_path(month))


@pytest.fixture
def fed(tmp_path: Path, emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> GcpFedProject:
    """A project with an empty feed, whose bucket and dataset are there and empty."""
    monkeypatch.setenv("TAXI_SOURCE", "feed")
    project = GcpFedProject(tmp_path, emulators)
    project.feed.mkdir()
    project.set_up()
    return project


def load_in_both(project: GcpFedProject, month: Month, taxi: Taxi = GREEN) -> None:
    project.warehouses = BOTH
    for kind in BOTH:
        project.kind = kind
        outcome = project.run(str(month), taxi)
        assert outcome.success, outcome.failure


def rows_in_both(project: GcpFedProject, taxi: Taxi = GREEN) -> list[list[tuple[object, ...]]]:
    return [
        warehouse.read(taxi.table, None).order("unique_row_id").fetchall()
        for warehouse in (project.warehouse(), project.bigquery())
    ]


@needs_real_data
@pytest.mark.parametrize("month", [Month(2021, 1), Month(2025, 10)], ids=str)
def test_published_months_are_the_same_trips_with_the_same_ids(fed: GcpFedProject, month: Month):
    assert REAL_DATA is not None
    path = REAL_DATA / "parquet" / f"green_tripdata_{month}.parquet"
    shutil.copy(path, fed.feed)
    load_in_both(fed, month)
    assert fed.object_of(month).download_as_bytes() == path.read_bytes()
    here, there = rows_in_both(fed)
    assert here == there


def test_what_drifts_is_loaded_as_in_duckdb(fed: GcpFedProject):
    table = with_column(feed_table(YELLOW, AUTUMN, 60), "airport_fee", pa.float64(), called="Airport_fee")
    table = with_column(table, "store_and_fwd_flag", pa.null())
    table = with_column(table, "payment_type", pa.int8())
    table = with_column(table, "RatecodeID", pa.float64())
    table = with_column(table, "surge_fee", pa.array([1.5] * 60))
    table = with_column(table, "extra", pa.array([0.5, 838860.8125] * 30, pa.float32()))
    table = with_value(table, "tip_amount", 0.1 + 0.2, row=4)
    fed.publish(with_value(table.drop_columns([FEE]), "payment_type", 0, row=3), taxi=YELLOW)
    load_in_both(fed, AUTUMN, YELLOW)
    here, there = rows_in_both(fed, YELLOW)
    assert len(here) == 60
    assert here == there


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("trip_distance", 0.00001, "row 31, column trip_distance: “1e-05” has more than four decimals"),
        ("VendorID", 2**31, "row 31, column VendorID: “2147483648” is out of range"),
        ("total_amount", float("nan"), "row 31, column total_amount: “nan” is not a number"),
        ("lpep_pickup_datetime", 1_664_582_400_500_000, "column lpep_pickup_datetime: “2022-10-01 00:00:00.5” is not"),
    ],
)
def test_a_value_that_would_change_fails_the_month_and_is_named(
    fed: GcpFedProject, column: str, value: object, words: str
):
    fed.publish(with_value(PLAIN, column, value, row=30))
    failure = fed.run(str(AUTUMN)).failure
    assert words in failure
    assert "green_tripdata_2022_10" not in fed.tables()


def test_a_number_of_32_bits_is_refused_as_in_duckdb(fed: GcpFedProject):
    fed.publish(with_column(PLAIN, "extra", pa.array([0.5, 0.1] * 30, pa.float32())))
    assert "row 2, column extra: “0.10000000149011612” has more than four decimals" in fed.run(str(AUTUMN)).failure
    assert "green_tripdata_2022_10" not in fed.tables()


def test_times_in_nanoseconds_are_refused_before_anything_is_sent(fed: GcpFedProject):
    """DuckDB and PostgreSQL take them; the older INT96 counts nanoseconds too, and BigQuery reads it."""
    fed.publish(with_column(PLAIN, "lpep_pickup_datetime", pa.timestamp("ns")))
    assert (
        "green_tripdata_2022-10.parquet has times in nanoseconds in column lpep_pickup_datetime, which BigQuery does "
        "not read: nothing was loaded"
    ) in fed.run(str(AUTUMN)).failure
    assert "green_tripdata_2022_10" not in fed.tables()


def test_a_month_that_changes_its_source_is_replaced(fed: GcpFedProject):
    month = Month(2021, 7)
    fed.source_name = "release"
    fed.put(made_trips(GREEN, month, 20), month)
    assert fed.changes(str(month)) == [(20, 0, 0)]
    fed.source_name = "feed"
    fed.publish(feed_table(GREEN, month, 30), month)
    assert fed.changes(str(month)) == [(10, 20, 0)]
    assert {row["filename"] for row in fed.rows("green_tripdata")} == {"green_tripdata_2021-07.parquet"}


def test_a_new_month_brings_a_new_column_to_tables_that_hold_months(fed: GcpFedProject):
    fed.source_name = str(fed.source)
    fed.put(made_trips(GREEN, JANUARY, 60))
    assert fed.changes() == [(60, 0, 0)]
    names = ", ".join(name for name in fed.rows("green_tripdata")[0] if name != FEE)
    fed.query(f"ALTER TABLE green_tripdata DROP COLUMN {FEE}")
    fed.query("DROP VIEW green_tripdata_2019_01")
    fed.query(
        f"CREATE VIEW green_tripdata_2019_01 OPTIONS (description = 'taxi_assets: January') AS SELECT {names}"
        " FROM green_tripdata WHERE file_month = DATE '2019-01-01'"
    )
    before = fed.rows("green_tripdata")
    fed.source_name = "feed"
    fed.publish(PLAIN)
    assert fed.changes(str(AUTUMN)) == [(60, 0, 0)]
    january = [row for row in fed.rows("green_tripdata") if row["filename"] == "green_tripdata_2019-01.csv"]
    assert january == [{**row, FEE: None} for row in before]
    assert fed.rows("green_tripdata_2019_01") == january
    assert {str(row[FEE]) for row in fed.rows("green_tripdata_2022_10")} in ({"0.75"}, {"0.750000000"})


def test_a_file_of_the_feed_lands_in_a_bucket_with_what_was_verified(fed: GcpFedProject, tmp_path: Path):
    fed.publish(with_column(PLAIN, "surge_fee", pa.array([1.5] * 60)))
    source = fed.trip_source()
    file = source.trip_file(GREEN, AUTUMN)
    bucket = fed.storage_client().bucket(fed.bucket)
    zone = BucketLandingZone(bucket, "landing", FolderLandingZone(tmp_path / "here"))
    landed = zone.land(file, source.origin(file), LOG)
    assert not zone.land(file, source.origin(file), LOG).fetched
    elsewhere = BucketLandingZone(bucket, "landing", FolderLandingZone(tmp_path / "there")).landed(file)
    assert elsewhere.path.read_bytes() == landed.path.read_bytes()
    assert (elsewhere.rows, elsewhere.unknown_columns) == (60, {"surge_fee": 60})
