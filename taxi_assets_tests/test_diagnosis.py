"""What is wrong with a raw file is told by line, column and value, and a file that is all right is never blamed."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from taxi_assets.errors import DamagedFileError, UnexpectedContentError
from taxi_assets.source.files import FileVersion, LandedFile
from taxi_assets.trips.diagnosis import explain_refusal, find_problems
from taxi_assets.trips.staging import stage_month
from taxi_assets_tests.csv_files import Trip, csv_bytes, made_trips, put_csv, put_sample
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN, JANUARY

REFUSED = duckdb.ConversionException("DuckDB's own words")


def landed(path: Path, rows: int = 3, header: tuple[str, ...] = GREEN.header) -> LandedFile:
    """The file as one that has landed; the facts that only the landing zone needs are left empty."""
    return LandedFile(path, "folder", FileVersion(None), path.stat().st_size, "", 0, rows, header)


def problems(folder: Path, *trips: Trip) -> list[str]:
    path = put_csv(folder, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    return list(find_problems(landed(path), GREEN))


def trips_with(**values: str) -> list[Trip]:
    return [made_trips(GREEN, JANUARY, 1)[0], made_trips(GREEN, JANUARY, 2)[1] | values]


def test_problems_come_in_the_order_of_lines_and_columns(tmp_path: Path):
    trips = made_trips(GREEN, JANUARY, 1_200)
    trips[1_100] |= {"trip_type": "x", "VendorID": "1.5"}
    trips[2]["tip_amount"] = "1.23456"
    assert problems(tmp_path, *trips) == [
        "line 4, column tip_amount: “1.23456” has more than four decimals",
        "line 1,102, column VendorID: “1.5” is not a whole number",
        "line 1,102, column trip_type: “x” is not a number",
    ]


@pytest.mark.parametrize(
    "value",
    ["", "0", "-0.0", "+5", " 5 ", "5.", ".5", "1e2", "1E-2", "9999999999.9999", "0.10000", "0.30000000000000004"],
)
def test_a_number_that_fits_is_no_problem_and_is_loaded(tmp_path: Path, value: str):
    assert problems(tmp_path, *trips_with(fare_amount=value)) == []
    path = tmp_path / GREEN.file_path(JANUARY)
    with duckdb.connect() as connection:
        assert stage_month(connection, GREEN, JANUARY, landed(path, 2), table="trips") == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("fare_amount", "5,"),
        ("fare_amount", "."),
        ("fare_amount", "\N{ARABIC-INDIC DIGIT FIVE}"),
        ("lpep_pickup_datetime", "2019-01-0\N{ARABIC-INDIC DIGIT FIVE} 00:00:00"),
        ("fare_amount", "--5"),
        ("fare_amount", "5 5"),
        ("fare_amount", "1e"),
        ("fare_amount", "-inf"),
        ("fare_amount", "10000000000.0"),
        ("fare_amount", "0.00001"),
        ("fare_amount", "0.30000000001"),
        ("fare_amount", "1e-5"),
        ("trip_type", "2147483648"),
        ("trip_type", "1e-1"),
        ("lpep_pickup_datetime", "2019-02-29 00:00:00"),
        ("lpep_pickup_datetime", "2019-01-01 00:00:60"),
        ("lpep_pickup_datetime", "2019-1-1 00:00:00"),
        ("lpep_pickup_datetime", " 2019-01-01 00:00:00"),
        ("lpep_pickup_datetime", "2019-01-01 00:00:00+00"),
        ("lpep_pickup_datetime", "infinity"),
    ],
)
def test_what_duckdb_refuses_is_found_and_what_is_found_is_refused(tmp_path: Path, column: str, value: str):
    """The fast reader and the slow one agree on what can't be held unchanged."""
    found = problems(tmp_path, *trips_with(**{column: f'"{value}"'}))
    assert len(found) == 1
    assert f"line 3, column {column}: “{value}”" in found[0]
    path = tmp_path / GREEN.file_path(JANUARY)
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError, match="line 3, column"):
        stage_month(connection, GREEN, JANUARY, landed(path, 2), table="trips")


def test_a_long_value_is_shown_by_its_beginning(tmp_path: Path):
    (found,) = problems(tmp_path, *trips_with(fare_amount="x" * 5_000))
    assert f"“{'x' * 60}…”" in found


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path):
    content = csv_bytes(GREEN.header, trips_with(store_and_fwd_flag="Z")).replace(b",Z,", b",\xff\x00,")
    (found,) = find_problems(landed(put_csv(tmp_path, GREEN, JANUARY, content)), GREEN)
    assert found.startswith("line 3, column store_and_fwd_flag: ")
    assert "\\udcff" in found
    assert "is not readable text" in found
    found.encode("utf-8")


def test_columns_are_found_by_the_order_of_the_files_header(tmp_path: Path):
    header = GREEN.header[::-1]
    path = put_csv(tmp_path, GREEN, JANUARY, csv_bytes(header, trips_with(VendorID="x")))
    assert list(find_problems(landed(path, header=header), GREEN)) == ["line 3, column VendorID: “x” is not a number"]


def test_a_file_without_fault_leaves_duckdbs_own_error(tmp_path: Path):
    path = put_csv(tmp_path, GREEN, JANUARY, csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 3)))
    assert explain_refusal(landed(path), GREEN, REFUSED) is REFUSED


def test_a_file_that_was_cut_after_it_landed_is_to_be_fetched_again(tmp_path: Path):
    path = put_sample(tmp_path, GREEN, JANUARY, 500)
    path.write_bytes(path.read_bytes()[:5_000])
    error = explain_refusal(landed(path), GREEN, REFUSED)
    assert isinstance(error, DamagedFileError)
    assert "was changed after it landed, so fetch it again" in str(error)


def test_a_file_that_is_gone_is_to_be_fetched_again(tmp_path: Path):
    path = put_sample(tmp_path, GREEN, JANUARY, 500)
    file = landed(path)
    path.unlink()
    error = explain_refusal(file, GREEN, REFUSED)
    assert isinstance(error, DamagedFileError)
    assert str(path) in str(error)
    assert "fetch it again" in str(error)


def test_a_file_with_fewer_rows_than_when_it_landed_is_refused(tmp_path: Path):
    path = put_csv(tmp_path, GREEN, JANUARY, csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 3)))
    with (
        duckdb.connect() as connection,
        pytest.raises(UnexpectedContentError, match="has 4 rows by its line ends, but 3"),
    ):
        stage_month(connection, GREEN, JANUARY, landed(path, 4), table="trips")


def test_a_sample_month_has_no_problems(tmp_path: Path):
    assert list(find_problems(landed(put_sample(tmp_path, GREEN, JANUARY, 3_000)), GREEN)) == []


@needs_real_data
def test_a_real_month_has_no_problems():
    assert REAL_DATA is not None
    path = REAL_DATA / "green_tripdata_2020-10.stratified.csv.gz"
    with gzip.open(path, "rt", newline="") as lines:
        header = tuple(next(lines).strip().split(","))
    assert list(find_problems(landed(path, header=header), GREEN)) == []
