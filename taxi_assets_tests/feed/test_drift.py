"""What the feed changes from year to year is loaded as it is, or refused with the column's name; nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from logging import getLogger

import pyarrow as pa
import pytest

from taxi_assets.source.raw_files import feed_file
from taxi_assets.taxis import Column
from taxi_assets.trips import reading
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.feed.parquet_files import feed_table, table_of, with_column, with_value
from taxi_assets_tests.feed.project import AUTUMN, FedProject
from taxi_assets_tests.project import GREEN, YELLOW

PLAIN = feed_table(GREEN, AUTUMN, 60)
LOG = getLogger(__name__)


def values(project: FedProject, table: str = "green_tripdata") -> list[tuple[object, ...]]:
    """All rows, whatever their columns are called in the warehouse."""
    return [tuple(row.values()) for row in project.rows(table)]


def test_names_may_be_in_any_case_and_order(fed_anywhere: FedProject):
    plain = feed_table(YELLOW, AUTUMN, 60)
    fed_anywhere.publish(plain, taxi=YELLOW)
    assert fed_anywhere.run(str(AUTUMN), YELLOW).success
    expected = values(fed_anywhere, "yellow_tripdata")
    renamed = with_column(plain, "airport_fee", pa.float64(), called="Airport_fee")
    renamed = with_column(renamed, "VendorID", pa.int64(), called="vendorid")
    fed_anywhere.publish(renamed.select(renamed.column_names[::-1]), taxi=YELLOW)
    outcome = fed_anywhere.run(str(AUTUMN), YELLOW)
    assert outcome.success, outcome.failure
    assert values(fed_anywhere, "yellow_tripdata") == expected


def test_numbers_may_be_of_any_type_that_holds_them(fed_anywhere: FedProject):
    fed_anywhere.publish(PLAIN)
    assert fed_anywhere.run(str(AUTUMN)).success
    expected = values(fed_anywhere)
    table = with_column(PLAIN, "VendorID", pa.int32())
    table = with_column(table, "passenger_count", pa.float64())
    table = with_column(table, "PULocationID", pa.uint16())
    table = with_column(table, "payment_type", pa.int8())
    table = with_column(table, "RatecodeID", pa.decimal128(22, 2))
    table = with_column(table, "fare_amount", pa.decimal128(20, 6))
    table = with_column(table, "store_and_fwd_flag", pa.large_string())
    table = with_column(table, "lpep_pickup_datetime", pa.timestamp("ns"))
    table = with_column(table, "lpep_dropoff_datetime", pa.timestamp("ms"))
    fed_anywhere.publish(table)
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    assert values(fed_anywhere) == expected


def test_a_column_without_values_may_have_no_type(fed_anywhere: FedProject):
    table = with_column(PLAIN, "ehail_fee", pa.null())
    fed_anywhere.publish(with_column(table, "store_and_fwd_flag", pa.null()))
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    rows = fed_anywhere.rows("green_tripdata")
    assert len(rows) == 60
    assert {(row["ehail_fee"], row["store_and_fwd_flag"]) for row in rows} == {(None, None)}


def test_a_number_that_was_computed_is_the_number_that_it_stands_for(fed_anywhere: FedProject):
    fed_anywhere.publish(with_value(PLAIN, "tip_amount", 0.3, row=7))
    assert fed_anywhere.run(str(AUTUMN)).success
    expected = values(fed_anywhere)
    fed_anywhere.publish(with_value(PLAIN, "tip_amount", 0.1 + 0.2, row=7))
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    assert values(fed_anywhere) == expected


def test_a_payment_type_of_zero_is_a_value(fed_anywhere: FedProject):
    fed_anywhere.publish(with_value(PLAIN, "payment_type", 0, row=7))
    assert fed_anywhere.run(str(AUTUMN)).success
    assert sorted(row["payment_type"] for row in fed_anywhere.rows("green_tripdata"))[:2] == [0, 1]


def test_columns_that_only_the_feed_has_are_loaded(fed_anywhere: FedProject):
    fed_anywhere.publish(feed_table(YELLOW, AUTUMN, 60), taxi=YELLOW)
    assert fed_anywhere.run(str(AUTUMN), YELLOW).success
    rows = fed_anywhere.rows("yellow_tripdata")
    assert {(row["airport_fee"], row["cbd_congestion_fee"]) for row in rows} == {(Decimal("0.75"), Decimal("0.75"))}


def test_columns_that_only_the_feed_has_may_be_missing(fed_anywhere: FedProject):
    fed_anywhere.publish(PLAIN.drop_columns(["cbd_congestion_fee"]))
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    assert {row["cbd_congestion_fee"] for row in fed_anywhere.rows("green_tripdata")} == {None}


def test_any_other_column_must_be_there(fed: FedProject):
    fed.publish(PLAIN.drop_columns(["ehail_fee", "trip_distance"]))
    failure = fed.run(str(AUTUMN)).failure
    assert "does not have the columns of its definition (missing: trip_distance, ehail_fee)" in failure
    assert fed.landed_names() == []


def test_an_unknown_column_is_told_with_its_values_and_the_rest_is_loaded(fed_anywhere: FedProject):
    surge = pa.array([1.5] * 20 + [None] * 40)
    fed_anywhere.publish(with_column(PLAIN, "surge_fee", surge))
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    assert len(fed_anywhere.rows("green_tripdata")) == 60
    said = fed_anywhere.checked("columns_are_known")
    assert (said["passed"], said["severity"], said["values of surge_fee"]) == (False, "WARN", 20)
    assert said["note"] == "not loaded, because they are not in the taxi's definition: surge_fee"
    assert "surge_fee (20 values)" in outcome.materialized("raw/green_tripdata")[str(AUTUMN)]["notes"]


def test_a_file_with_an_unknown_column_is_kept_where_files_are_purged(fed: FedProject):
    fed.publish(with_column(PLAIN, "surge_fee", pa.array([1.5] * 60)))
    outcome = fed.run(str(AUTUMN), keep_raw_files=False)
    assert outcome.success, outcome.failure
    assert fed.landed_names()[0] == "green_tripdata_2022-10.parquet"
    assert "is kept, because some of its columns are not loaded: surge_fee" in outcome.log
    fed.publish(PLAIN)
    assert fed.run(str(AUTUMN), keep_raw_files=False).success
    assert fed.landed_names() == ["green_tripdata_2022-10.parquet.json"]


def test_no_unknown_column_is_told_where_there_is_none(fed: FedProject):
    fed.publish(PLAIN)
    assert fed.run(str(AUTUMN)).success
    assert fed.checked("columns_are_known")["passed"]


def test_a_file_with_an_unknown_column_is_looked_at_again_once_that_is_described(fed: FedProject):
    fed.publish(with_column(PLAIN, "Surge_Fee", pa.array([1.5] * 60)))
    source = fed.trip_source()
    landed = source.land(feed_file(GREEN, AUTUMN), LOG)
    assert landed.unknown_columns == {"Surge_Fee": 60}
    surge = Column("surge_fee", "decimal", "A fee.", only_in_feed=True)
    described = feed_file(replace(GREEN, columns=(*GREEN.columns, surge)), AUTUMN)
    again = source.land(described, LOG)
    assert again.fetched
    assert (again.header[-1], again.unknown_columns) == ("surge_fee", {})
    assert not source.land(described, LOG).fetched


@pytest.mark.parametrize(
    ("column", "type_", "words"),
    [
        ("VendorID", pa.string(), "VendorID (string instead of a number)"),
        ("fare_amount", pa.string(), "fare_amount (string instead of a number)"),
        ("fare_amount", pa.decimal256(60, 40), "fare_amount (decimal256(60, 40) instead of a number)"),
        ("trip_type", pa.bool_(), "trip_type (bool instead of a number)"),
        ("lpep_pickup_datetime", pa.string(), "lpep_pickup_datetime (string instead of a date and time without"),
        ("lpep_dropoff_datetime", pa.timestamp("us", "UTC"), "(timestamp[us, tz=UTC] instead of a date and time"),
        ("store_and_fwd_flag", pa.binary(), "store_and_fwd_flag (binary instead of text)"),
    ],
)
def test_a_column_of_another_type_is_refused_by_its_name(fed: FedProject, column: str, type_: pa.DataType, words: str):
    fed.publish(with_column(PLAIN, column, type_))
    failure = fed.run(str(AUTUMN)).failure
    assert "does not have the columns of its definition (of another type: " in failure
    assert words in failure
    assert fed.landed_names() == []


def test_a_column_that_is_there_twice_is_refused(fed: FedProject):
    fed.publish(PLAIN.append_column("vendorid", PLAIN["VendorID"]))
    assert "there more than once: VendorID" in fed.run(str(AUTUMN)).failure


@pytest.mark.parametrize(
    ("column", "value", "type_", "words"),
    [
        ("passenger_count", 1.5, pa.float64(), "row 31, column passenger_count: “1.5” is not a whole number"),
        ("VendorID", 2**31, None, "row 31, column VendorID: “2147483648” is out of range"),
        ("fare_amount", 0.00001, None, "row 31, column fare_amount: “1e-05” has more than four decimals"),
        ("total_amount", float("nan"), None, "row 31, column total_amount: “nan” is not a number"),
        ("tip_amount", 0.30000000001, None, "row 31, column tip_amount: “0.30000000001” has more than four decimals"),
        ("extra", Decimal("0.00000000000000000001"), pa.decimal128(38, 20), "row 31, column extra: “0.0000000000"),
        (
            "lpep_pickup_datetime",
            1_664_582_400_500_000,
            None,
            "row 31, column lpep_pickup_datetime: “2022-10-01 00:00:00.5” is not a date and time like",
        ),
        (
            "lpep_dropoff_datetime",
            -(2**63),
            None,
            "row 31, column lpep_dropoff_datetime: “-9223372036854775808 microseconds since 1970” is out of range",
        ),
        ("fare_amount", 1234567890.12345, None, "row 31, column fare_amount: “1234567890.12345” has more than four"),
        ("store_and_fwd_flag", "N\0", None, "row 31, column store_and_fwd_flag: “N\\x00” is not readable text"),
    ],
)
def test_a_value_that_would_change_fails_the_month_and_is_named(
    fed_anywhere: FedProject, column: str, value: object, type_: pa.DataType | None, words: str
):
    fed_anywhere.publish(with_value(PLAIN, column, value, row=30, type_=type_))
    failure = fed_anywhere.run(str(AUTUMN)).failure
    assert words in failure
    assert "can't hold unchanged" in failure


def test_a_month_in_one_group_of_rows_is_read_in_parts_and_is_the_same(
    fed_anywhere: FedProject, monkeypatch: pytest.MonkeyPatch
):
    fed_anywhere.publish(feed_table(GREEN, AUTUMN, 61))
    assert fed_anywhere.run(str(AUTUMN)).success
    expected = values(fed_anywhere)
    monkeypatch.setattr(reading, "_ROWS_WORTH_A_PART", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    landed = fed_anywhere.trip_source().land(feed_file(GREEN, AUTUMN), LOG)
    assert reading.parquet_parts(landed) == [(0, 21), (21, 42), (42, 63)]
    assert fed_anywhere.run(str(AUTUMN)).success
    assert values(fed_anywhere) == expected
    assert len(expected) == 61


def test_trips_that_agree_in_their_id_are_all_kept_with_the_ids_that_a_csv_gives_them(fed_anywhere: FedProject):
    trips = made_trips(GREEN, AUTUMN, 20)
    trips += [dict(trip) for trip in trips[:5]] + [{**trip, "tip_amount": "3"} for trip in trips[:5]]
    fed_anywhere.publish(table_of(GREEN, trips).drop_columns(["cbd_congestion_fee"]))
    assert fed_anywhere.run(str(AUTUMN)).success
    assert len({row["unique_row_id"] for row in fed_anywhere.rows("green_tripdata")}) == 30
