"""What is wrong with a raw file is told by line, column and value, and a file that is all right is never blamed."""

from __future__ import annotations

import gzip
import hashlib
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_assets.errors import DamagedFileError, UnexpectedContentError
from taxi_assets.source.raw_files import FileVersion, LandedFile
from taxi_assets.trips.diagnosis import describe_problems, explain_refusal, find_problems
from taxi_assets.trips.staging import stage_month
from taxi_assets.trips.values import printable
from taxi_assets_tests.csv_files import Trip, csv_bytes, made_trips, put_csv, put_sample
from taxi_assets_tests.feed.parquet_files import feed_table, put_feed, with_column, with_value
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN, JANUARY

REFUSED = duckdb.ConversionException("DuckDB's own words")


FITTING_NUMBERS = [
    *["", "0", "-0.0", "+5", " 5 ", "5.", ".5", "1e2", "1E-2", "9999999999.9999", "0.10000", "0.30000000000000004"],
    *[
        "5.00000000000000000000",
        "000000000000000000005",
        "0e5",
        "1234567890.1235",
        "8.800000000000001",
        "2E+000001",
    ],
    *["17.999999999999996", "-0.30000000000000004e0", "0.00009999999999999999", "999999.1000000001"],
]
"""Texts that are numbers of a column of amounts."""
REFUSED_TEXTS = [
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
    ("lpep_pickup_datetime", "0000-01-01 00:00:00"),
    ("lpep_pickup_datetime", "10000-01-01 00:00:00"),
    ("fare_amount", "+-5"),
    ("fare_amount", "\t5"),
    ("fare_amount", "5\f"),
    ("fare_amount", "\v5"),
    ("fare_amount", "1_000"),
    ("fare_amount", "1e-400"),
    ("fare_amount", "-1e-30"),
    ("fare_amount", "1e1000000000000"),
    ("fare_amount", "0e1000"),
    ("fare_amount", "5.0000000000000000001"),
    ("fare_amount", "1234567890.12345"),
    ("fare_amount", "1234567890.1234001"),
    ("fare_amount", "100000000.12345"),
    ("fare_amount", "9999999999.99999"),
    ("fare_amount", "9999999999.999999"),
    ("fare_amount", "1000000.1000000001"),
    ("fare_amount", "98765.4321000001"),
    ("fare_amount", "8.80000000000001"),
    ("fare_amount", "0.999999999999999"),
    ("fare_amount", "4.440892098500626e-16"),
    ("trip_type", "5.0000000000000000001"),
    ("trip_type", "1.0000000000000002"),
    ("trip_type", "2147483647.0000000001"),
    ("trip_type", "1e-400"),
    ("store_and_fwd_flag", "N\0"),
    ("store_and_fwd_flag", "N\t"),
    ("store_and_fwd_flag", "\u0085"),
]
"""Columns, and texts that they can't hold unchanged."""


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


@pytest.mark.parametrize("value", FITTING_NUMBERS)
def test_a_number_that_fits_is_no_problem_and_is_loaded(tmp_path: Path, value: str):
    assert problems(tmp_path, *trips_with(fare_amount=value)) == []
    path = tmp_path / GREEN.file_path(JANUARY)
    with duckdb.connect() as connection:
        assert stage_month(connection, GREEN, JANUARY, landed(path, 2), table="trips") == 2


@pytest.mark.parametrize(("column", "value"), REFUSED_TEXTS)
def test_what_duckdb_refuses_is_found_and_what_is_found_is_refused(tmp_path: Path, column: str, value: str):
    """The fast reader and the slow one agree on what can't be held unchanged."""
    found = problems(tmp_path, *trips_with(**{column: f'"{value}"'}))
    assert len(found) == 1
    assert f"line 3, column {column}: “{printable(value)}”" in found[0]
    path = tmp_path / GREEN.file_path(JANUARY)
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError, match="line 3, column"):
        stage_month(connection, GREEN, JANUARY, landed(path, 2), table="trips")


@pytest.mark.parametrize(
    ("column", "field", "cause"),
    [
        ("store_and_fwd_flag", '"Y" ', "has text after its closing quote"),
        ("store_and_fwd_flag", '"Y"N', "has text after its closing quote"),
        ("fare_amount", '"5" ', "has text after its closing quote"),
        ("fare_amount", '"5"5', "has text after its closing quote"),
        ("store_and_fwd_flag", ' "Y"', "has a quote without being quoted as a whole"),
        ("fare_amount", ' "5"', "has a quote without being quoted as a whole"),
        ("store_and_fwd_flag", 'Y"', "has a quote without being quoted as a whole"),
        ("store_and_fwd_flag", '"Y', "has a quote that is not closed in its line"),
    ],
)
def test_quotes_that_do_not_stand_around_a_whole_field_are_shown(tmp_path: Path, column: str, field: str, cause: str):
    (found,) = problems(tmp_path, *trips_with(**{column: field}))
    assert found.startswith(f"line 3, column {column}: “{field}")
    assert found.endswith(cause)
    path = tmp_path / GREEN.file_path(JANUARY)
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError, match="line 3, column"):
        stage_month(connection, GREEN, JANUARY, landed(path, 2), table="trips")


def test_a_quote_that_is_never_closed_does_not_hide_where_it_is(tmp_path: Path):
    content = csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 20_000)).replace(b",N,", b',"N,', 1)
    (first, *rest) = find_problems(landed(put_csv(tmp_path, GREEN, JANUARY, content)), GREEN)
    assert first == 'line 2, column store_and_fwd_flag: “"N” has a quote that is not closed in its line'
    assert rest == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(b"1" * 65_537, "line 3 is longer than 65,536 bytes", id="too long by a byte"),
        pytest.param(b"1," * 20_000_000, "line 3 is longer than 65,536 bytes", id="too long by far"),
        pytest.param(b"1," * 30_000, "line 3 has 30001 fields instead of 20", id="many fields"),
        pytest.param(
            b"1\r2," + b"," * 18,
            r"line 3, column VendorID: “1\r2” has a carriage return that is not part of its line end",
            id="CR",
        ),
        pytest.param(b"," * 19 + b"\r", "line 3 has a carriage return that is not part of its line end", id="CR CR LF"),
        pytest.param(b"9" * 65_000 + b"," * 19, "line 3, column VendorID: “9999", id="a number of many digits"),
        pytest.param(b"9" * 65_000 + b"x" + b"," * 19, "line 3, column VendorID: “9999", id="almost a number"),
        pytest.param(b" " * 65_000 + b"x" + b"," * 19, "line 3, column VendorID: “    ", id="many blanks"),
        pytest.param(b'"' * 65_001 + b"," * 19, 'line 3, column VendorID: “""""', id="many quotes"),
    ],
)
def test_no_line_is_too_odd_to_be_judged_quickly_and_in_bounded_memory(tmp_path: Path, line: bytes, problem: str):
    lines = csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 2)).splitlines()
    path = put_csv(tmp_path, GREEN, JANUARY, b"\r\n".join([*lines[:2], line, lines[2], b""]))
    tracemalloc.start()
    (found,) = find_problems(landed(path), GREEN)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.startswith(problem)
    assert peak < 10 * 2**20


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_bytes_are_there_is_a_sentence(tmp_path: Path, seed: int):
    lottery = random.Random(seed)
    content = bytearray(csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 50)))
    start = content.index(b"\n") + 1
    for _ in range(lottery.choice([1, 5, 500])):
        place = lottery.randrange(start, len(content))
        content[place : place + lottery.randrange(3)] = lottery.randbytes(lottery.randrange(4))
    error = describe_problems(landed(put_csv(tmp_path, GREEN, JANUARY, bytes(content))), GREEN)
    assert error is None or "line " in str(error)


def test_a_line_may_be_as_long_as_the_limit_and_is_loaded(tmp_path: Path):
    (trip,) = made_trips(GREEN, JANUARY, 1)
    room = 65_536 - len(",".join(trip[name] for name in GREEN.header)) + 1
    path = put_csv(tmp_path, GREEN, JANUARY, csv_bytes(GREEN.header, [trip | {"store_and_fwd_flag": "N" * room}]))
    for is_plain in (False, True):
        with duckdb.connect() as connection:
            file = replace(landed(path, 1), is_plain=is_plain)
            assert stage_month(connection, GREEN, JANUARY, file, table="trips") == 1


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


FED = feed_table(GREEN, JANUARY, 60)


def landed_table(folder: Path, table: pa.Table, **options: object) -> LandedFile:
    """The table as a file of the feed that has landed."""
    return landed_feed(put_feed(folder, GREEN, JANUARY, table, **options))


def landed_feed(path: Path) -> LandedFile:
    names = {name.lower(): name for name in (column.name for column in GREEN.columns)}
    header = tuple(names[name.lower()] for name in pq.read_schema(path).names)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(landed(path, 60, header), sha256=digest, is_plain=True)


FIRST, LAST = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("us", -(2**63), "“-9223372036854775808 microseconds since 1970” is out of range"),
        ("us", -(2**63) + 1, "“-9223372036854775807 microseconds since 1970” is out of range"),
        ("us", 2**63 - 1, "“9223372036854775807 microseconds since 1970” is out of range"),
        ("us", FIRST * 10**6 - 10**6, "“-62135596801000000 microseconds since 1970” is out of range"),
        ("us", LAST * 10**6 + 10**6, "“253402300800000000 microseconds since 1970” is out of range"),
        ("us", LAST * 10**6 + 999_999, "“9999-12-31 23:59:59.999999” is not a date and time like"),
        ("us", FIRST * 10**6 + 1, "“0001-01-01 00:00:00.000001” is not a date and time like"),
        ("ms", -(2**63), "“-9223372036854775808 milliseconds since 1970” is out of range"),
        ("ms", 2**63 - 1, "“9223372036854775807 milliseconds since 1970” is out of range"),
        ("ms", 1_500, "“1970-01-01 00:00:01.5” is not a date and time like"),
        ("ns", -(2**63), "“1677-09-21 00:12:43.145224192” is not a date and time like"),
        ("ns", 2**63 - 1, "“2262-04-11 23:47:16.854775807” is not a date and time like"),
        ("ns", 1_000, "“1970-01-01 00:00:00.000001” is not a date and time like"),
        ("ns", -1, "“1969-12-31 23:59:59.999999999” is not a date and time like"),
    ],
)
@pytest.mark.parametrize("column", ["lpep_pickup_datetime", "lpep_dropoff_datetime"])
def test_a_moment_that_no_warehouse_holds_is_shown_and_the_database_goes_on(
    tmp_path: Path, column: str, unit: str, value: int, words: str
):
    moments = FED[column].cast(pa.timestamp(unit)).cast(pa.int64()).to_pylist()
    moments[41] = value
    file = landed_table(tmp_path, with_column(FED, column, pa.array(moments, pa.int64()).cast(pa.timestamp(unit))))
    with duckdb.connect() as connection:
        with pytest.raises(UnexpectedContentError) as refused:
            stage_month(connection, GREEN, JANUARY, file, table="trips")
        assert f"row 42, column {column}: {words}" in str(refused.value)
        good = landed_table(tmp_path / "good", FED)
        assert stage_month(connection, GREEN, JANUARY, good, table="good") == 60


@pytest.mark.parametrize("unit", ["us", "ms"])
def test_the_first_and_the_last_second_are_moments(tmp_path: Path, unit: str):
    moments = pa.array([FIRST, LAST] * 30, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
    file = landed_table(tmp_path, with_column(FED, "lpep_pickup_datetime", moments))
    assert list(find_problems(file, GREEN)) == []
    with duckdb.connect() as connection:
        stage_month(connection, GREEN, JANUARY, file, table="trips")
        found = connection.execute(
            "SELECT min(CAST(lpep_pickup_datetime AS VARCHAR)), max(CAST(lpep_pickup_datetime AS VARCHAR)) FROM trips"
        ).fetchall()
        assert found == [("0001-01-01 00:00:00", "9999-12-31 23:59:59")]


@pytest.mark.parametrize(
    ("value", "shown"), [("N\0", "N\\x00"), ("N\t", "N\\t"), ("\u0085", "\\x85")], ids=["a NUL", "a tab", "a line end"]
)
def test_a_text_of_a_parquet_file_that_not_every_warehouse_keeps_is_shown(tmp_path: Path, value: str, shown: str):
    file = landed_table(tmp_path, with_value(FED, "store_and_fwd_flag", value, row=41))
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError) as refused:
        stage_month(connection, GREEN, JANUARY, file, table="trips")
    assert f"row 42, column store_and_fwd_flag: “{shown}” is not readable text" in str(refused.value)


def test_a_text_of_a_parquet_file_that_is_not_utf8_is_shown(tmp_path: Path):
    path = put_feed(tmp_path, GREEN, JANUARY, with_value(FED, "store_and_fwd_flag", "zzz", row=41), compression="none")
    path.write_bytes(path.read_bytes().replace(b"zzz", b"z\xe9z"))
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError) as refused:
        stage_month(connection, GREEN, JANUARY, landed_feed(path), table="trips")
    assert "row 42, column store_and_fwd_flag: “z\\udce9z” is not readable text" in str(refused.value)


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (1234567890.12345, "has more than four decimals"),
        (100_000_000.12345, "has more than four decimals"),
        (98765.4321000001, "has more than four decimals"),
        (5e-324, "has more than four decimals"),
        (1e300, "is out of range"),
        (float("-inf"), "is not a number"),
    ],
)
def test_a_number_of_a_parquet_file_that_would_change_is_shown(tmp_path: Path, value: float, cause: str):
    file = landed_table(tmp_path, with_value(FED, "fare_amount", value, row=41))
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError) as refused:
        stage_month(connection, GREEN, JANUARY, file, table="trips")
    assert f"row 42, column fare_amount: “{value}” {cause}" in str(refused.value)


@pytest.mark.parametrize("type_", [pa.float32(), pa.float16(), pa.decimal128(38, 30), pa.uint64(), pa.int8()], ids=str)
def test_a_parquet_file_without_fault_is_not_blamed_whatever_its_types_are(tmp_path: Path, type_: pa.DataType):
    values = with_column(FED, "fare_amount", pa.array([1, 2, None] * 20, pa.int64()).cast(pa.float64()))
    file = landed_table(tmp_path, with_column(values, "fare_amount", type_))
    assert describe_problems(file, GREEN) is None
    with duckdb.connect() as connection:
        assert stage_month(connection, GREEN, JANUARY, file, table="trips") == 60


def with_shorts(values: list[float]) -> pa.Table:
    """Fares as numbers of 32 bits, the rest null."""
    return with_column(FED, "fare_amount", pa.array([*values, *[None] * (60 - len(values))], pa.float32()))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1, "0.10000000149011612"), (1234.56, "1234.56005859375"), (123456.79, "123456.7890625")],
)
def test_a_number_of_32_bits_stands_for_what_it_is_and_not_for_what_was_meant(tmp_path: Path, value: float, shown: str):
    file = landed_table(tmp_path, with_shorts([1.5, value]))
    with duckdb.connect() as connection, pytest.raises(UnexpectedContentError) as refused:
        stage_month(connection, GREEN, JANUARY, file, table="trips")
    assert f"row 2, column fare_amount: “{shown}” has more than four decimals" in str(refused.value)


@pytest.mark.parametrize("rows", [60, 100_020], ids=["read at once", "read in parts"])
def test_a_number_of_32_bits_that_is_exact_is_loaded(tmp_path: Path, rows: int):
    exact = [0.5, -12.25, 838860.8125, 16777216.0]
    table = pa.concat_tables([with_shorts(exact)] * (rows // 60))
    with duckdb.connect() as connection:
        file = replace(landed_table(tmp_path, table), rows=rows)
        assert stage_month(connection, GREEN, JANUARY, file, table="trips") == rows
        found = connection.execute(
            "SELECT DISTINCT fare_amount FROM trips WHERE fare_amount IS NOT NULL ORDER BY 1"
        ).fetchall()
        assert [float(value) for (value,) in found] == sorted(exact)


def with_a_long_text(content: bytes) -> bytes:
    """The first text says that it is longer than its page."""
    place = content.index(b"\x01\0\0\0N")
    return content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :]


def without_a_page(content: bytes) -> bytes:
    """The first page, header and all, is overwritten."""
    return content[:4] + bytes(200) + content[204:]


@pytest.mark.parametrize("damage", [with_a_long_text, without_a_page])
def test_a_damaged_page_of_a_parquet_file_is_told_with_the_file_and_the_column(
    tmp_path: Path, damage: Callable[[bytes], bytes]
):
    path = put_feed(tmp_path, GREEN, JANUARY, FED, compression="none", use_dictionary=False)
    path.write_bytes(damage(path.read_bytes()))
    with duckdb.connect() as connection:
        with pytest.raises(DamagedFileError) as refused:
            stage_month(connection, GREEN, JANUARY, landed_feed(path), table="trips")
        column = "store_and_fwd_flag" if damage is with_a_long_text else "VendorID"
        assert f"{path} is damaged, as column {column} from row 1 on can't be read" in str(refused.value)
        assert "fetch it again" in str(refused.value)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
