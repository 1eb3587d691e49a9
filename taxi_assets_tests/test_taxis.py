"""What a taxi is stands once, as data, and a new taxi is a new file."""

from __future__ import annotations

import gzip
import logging
import re
from pathlib import Path

import pytest

from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month, parse_month_range
from taxi_assets.published import PublishedCount, published_month
from taxi_assets.source.files import trip_file
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.taxis import Column, Taxi, all_taxis, get_taxi
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets_tests.paths import PROJECT


def published_rows(taxi: str, months: str, name: str) -> int:
    counts = [published_month(get_taxi(taxi), month).count_of(name) for month in parse_month_range(months)]
    return sum(count.rows for count in counts if count)


def test_published_counts_add_up_to_the_known_sums() -> None:
    assert published_rows("yellow", "2020-01...2020-12", ".csv") == 24_648_499
    assert published_rows("green", "2020-01...2020-12", ".csv") == 1_734_051
    assert published_rows("yellow", "2021-03", ".csv") == 1_925_152
    assert published_rows("yellow", "2022-01...2022-12", ".parquet") == 39_656_098
    assert published_rows("yellow", "2023-01...2023-12", ".parquet") == 38_310_226
    assert published_rows("green", "2022-01...2022-12", ".parquet") == 840_402


def test_every_month_of_every_taxi_has_a_published_count() -> None:
    for taxi in all_taxis().values():
        for month in parse_month_range(f"{taxi.first_month}...{taxi.last_month}"):
            assert published_month(taxi, month).release


def test_both_sources_have_a_count_of_their_own() -> None:
    january = published_month(get_taxi("green"), Month(2019, 1))
    assert january.count_of("green_tripdata_2019-01.csv") == PublishedCount(630_918, "counted")
    assert january.count_of("green_tripdata_2019-01.parquet") == PublishedCount(672_105, "its footer")
    later = published_month(get_taxi("green"), Month(2025, 10))
    assert later.count_of("green_tripdata_2025-10.csv") is None
    assert later.count_of("green_tripdata_2025-10.parquet") == PublishedCount(49_416, "its footer")


def test_only_counted_figures_are_sure() -> None:
    counts = {
        known: published_month(get_taxi("yellow"), Month.parse(month)).release
        for known, month in {
            "counted": "2019-01",
            "derived": "2019-05",
            "parquet": "2019-07",
            "unsourced": "2021-07",
        }.items()
    }
    assert {known: count.is_sure for known, count in counts.items() if count} == {
        "counted": True,
        "derived": False,
        "parquet": False,
        "unsourced": False,
    }


@pytest.mark.parametrize("taxi", all_taxis().values(), ids=lambda taxi: taxi.name)
def test_a_taxi_is_consistent(taxi: Taxi) -> None:
    assert len(set(taxi.header)) == len(taxi.header)
    assert {*taxi.identity, taxi.pickup, taxi.dropoff} <= set(taxi.header)
    assert all(column.description.endswith(".") for column in taxi.columns)


@pytest.mark.parametrize("taxi", all_taxis().values(), ids=lambda taxi: taxi.name)
def test_a_trip_is_identified_by_the_seven_values_of_the_recipe(taxi: Taxi) -> None:
    assert taxi.identity == (
        "VendorID",
        taxi.pickup,
        taxi.dropoff,
        "PULocationID",
        "DOLocationID",
        "fare_amount",
        "trip_distance",
    )


def test_names_follow_from_taxi_and_month() -> None:
    green, month = get_taxi("green"), Month(2020, 10)
    assert green.csv_name(month) == "green_tripdata_2020-10.csv"
    assert green.file_path(month) == "green/green_tripdata_2020-10.csv.gz"
    assert green.month_table(month) == "green_tripdata_2020_10"


@pytest.mark.parametrize(
    "text", ["2020-13", "2020-1", "20-10", "october", "2020-10-01", "", "2020-01...", "...2020-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UnknownTaxiOrMonthError, match="write it as YYYY-MM"):
        parse_month_range(text)


def test_a_range_crosses_years() -> None:
    assert [str(month) for month in parse_month_range("2019-11...2020-02")] == [
        "2019-11",
        "2019-12",
        "2020-01",
        "2020-02",
    ]
    assert parse_month_range("2019-11..2020-02") == parse_month_range("2019-11...2020-02")


def test_no_code_asks_which_taxi_or_warehouse_it_has_before_it() -> None:
    asking = re.compile(r"==\s*[\"'](yellow|green|duckdb|postgres|bigquery)|[\"'](yellow|green)[\"']\s*(==|in\b)")
    code = sorted((PROJECT / "taxi_assets").rglob("*.py"))
    assert code
    assert [str(path) for path in code if asking.search(path.read_text())] == []


def test_a_taxi_with_other_columns_loads_like_any_other(tmp_path: Path) -> None:
    hired = Taxi(
        name="hired",
        title="Hired car",
        description="Cars that were ordered beforehand.",
        columns=(
            Column("base", "text", "Company.", required=True),
            Column("picked_up", "timestamp", "Start.", required=True),
            Column("dropped_off", "timestamp", "End."),
            Column("fee", "decimal", "Fee."),
        ),
        identity=("base", "picked_up", "dropped_off"),
        pickup="picked_up",
        dropoff="dropped_off",
        first_month=Month(2019, 1),
        last_month=Month(2019, 12),
    )
    month, log = Month(2019, 1), logging.getLogger("test")
    file = tmp_path / "source" / hired.file_path(month)
    file.parent.mkdir(parents=True)
    file.write_bytes(
        gzip.compress(
            b"base,picked_up,dropped_off,fee\r\n"
            b"B1,2019-01-01 00:00:00,,1.5\r\n"
            b"B2,2019-01-02 10:00:00,2019-01-02 10:10:00,\r\n"
        )
    )
    landed = FolderLandingZone(tmp_path / "landing").land(
        trip_file(hired, month), FolderOrigin(tmp_path / "source"), log
    )
    warehouse = DuckDBWarehouse(database=str(tmp_path / "w.duckdb"))
    warehouse.load_month(hired, month, landed, log)
    merge = warehouse.merge_month(hired, month, log)
    assert (merge.rows, merge.inserted) == (2, 2)
    profile = warehouse.profile_month(hired, month, "main", log)
    assert profile.rows == 2
    assert profile.odd_rows["outside"] == {"pickup outside the month": 0}
    assert profile.odd_rows["missing"]["missing base"] == 0
