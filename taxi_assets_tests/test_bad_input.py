"""Whatever is wrong with the input, the run says so in one sentence and the warehouse stays as it was."""

from __future__ import annotations

import gzip
import os
import random
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month, parse_month_range
from taxi_assets.taxis import get_taxi
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_bytes, put_csv, put_sample
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import GREEN, JANUARY, MARCH, Project, processes
from taxi_assets_tests.source.file_server import FileServer, Served

FILE = "green_tripdata_2019-01.csv.gz"
WHOLE = csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 60))
PACKED = gzip.compress(WHOLE, mtime=0)
WEB_PAGE = b"<!DOCTYPE html>\n<html><body>Not Found</body></html>\n"


def cut_at_a_rows_end() -> bytes:
    """A gzip file that stores the rows as they are, cut where one of them ends."""
    stored = gzip.compress(WHOLE, 0, mtime=0)
    return stored[: stored.index(b"\r\n", len(stored) // 2) + 2]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def assert_one_sentence(text: str) -> None:
    """One sentence, or a list of findings with a remedy, on one line and without a stack trace."""
    assert "\n" not in text.strip()
    assert "Traceback" not in text
    assert text.rstrip().endswith(".")


def assert_refused(project: Project, *words: str, month: str = str(JANUARY)) -> str:
    """Run the month: it must fail with these words, and nothing in the warehouse may change."""
    before = project.everything()
    outcome = project.run(month)
    assert not outcome.success
    failure = outcome.failure
    assert_one_sentence(failure)
    for word in words:
        assert word in failure
    assert project.everything() == before
    assert outcome.materialized("duckdb/green_tripdata") == {}
    assert not any(name.endswith((".part", ".part.json")) for name in project.landed_names())
    return failure


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(PACKED[: len(PACKED) // 2], ["truncated"], id="truncated in the middle"),
        pytest.param(cut_at_a_rows_end(), ["truncated"], id="truncated exactly at a row's end"),
        pytest.param(PACKED[:-8], ["truncated"], id="without checksum and length"),
        pytest.param(flipped(PACKED, -6), ["CRC"], id="wrong checksum"),
        pytest.param(flipped(PACKED, -2), ["length"], id="wrong length"),
        pytest.param(flipped(PACKED, len(PACKED) // 2), ["corrupted"], id="a flipped byte in the middle"),
        pytest.param(PACKED + b"rest", ["after the end of its gzip stream"], id="rubbish after the end"),
        pytest.param(WEB_PAGE, ["web page"], id="a web page"),
        pytest.param(gzip.compress(WEB_PAGE), ["web page"], id="a compressed web page"),
        pytest.param(WHOLE, ["not a gzip file"], id="not compressed"),
        pytest.param(random.Random(1).randbytes(5_000), ["not a gzip file"], id="random bytes"),
        pytest.param(b"", ["is empty"], id="empty"),
        pytest.param(gzip.compress(b""), ["empty CSV"], id="an empty CSV"),
        pytest.param(gzip.compress(WHOLE.partition(b"\n")[0] + b"\n"), ["no rows"], id="only a header"),
        pytest.param(gzip.compress(WHOLE.partition(b"\n")[2]), ["columns", "missing"], id="no header"),
    ],
)
def test_a_file_that_is_not_the_published_one_reaches_nothing(loaded: Project, content: bytes, words: list[str]):
    put_bytes(loaded.source, GREEN, JANUARY, content)
    warehouse = loaded.database.read_bytes()
    assert_refused(loaded, FILE, "nothing of it was kept", "source", *words)
    assert loaded.database.read_bytes() == warehouse
    # What had landed before is still what lies there, verified.
    assert loaded.run(stages=("month", "main")).success


@pytest.mark.parametrize(
    ("header", "words"),
    [
        pytest.param([name for name in GREEN.header if name != "trip_type"], ["missing: trip_type"], id="missing"),
        pytest.param([*GREEN.header, "airport_fee"], ["unexpected: airport_fee"], id="additional"),
        pytest.param(
            [{"PULocationID": "pickup_zone"}.get(name, name) for name in GREEN.header],
            ["missing: PULocationID", "unexpected: pickup_zone"],
            id="renamed",
        ),
        pytest.param([*GREEN.header, "VendorID"], ["more than once: VendorID"], id="twice"),
    ],
)
def test_other_columns_are_named_and_reach_nothing(loaded: Project, header: list[str], words: list[str]):
    trips = [{**dict.fromkeys(header, "1"), **trip} for trip in made_trips(GREEN, JANUARY, 5)]
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(header, trips))
    assert_refused(loaded, FILE, *words)


def test_columns_in_another_order_are_read_by_their_names(loaded: Project):
    before = loaded.everything()
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(GREEN.header[::-1], made_trips(GREEN, JANUARY, 60)))
    outcome = loaded.run()
    assert outcome.success
    merged = outcome.materialized("duckdb/green_tripdata")["2019-01"]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (0, 0, 0)
    assert loaded.everything() == before


def with_value(name: str, value: str, row: int = 17) -> bytes:
    trips = made_trips(GREEN, JANUARY, 60)
    trips[row][name] = value
    return csv_bytes(GREEN.header, trips)


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("fare_amount", "abc", "is not a number"),
        ("fare_amount", "12x", "is not a number"),
        ("fare_amount", "nan", "is not a number"),
        ("fare_amount", "inf", "is not a number"),
        ("fare_amount", "1_000", "is not a number"),
        ("fare_amount", "0x10", "is not a number"),
        ("fare_amount", "$5", "is not a number"),
        ("fare_amount", "5.00001", "has more than four decimals"),
        ("fare_amount", "1234567890.12345", "has more than four decimals"),
        ("fare_amount", "5.0000000000000000001", "has more than four decimals"),
        ("fare_amount", "1e-400", "has more than four decimals"),
        ("fare_amount", "+-5", "is not a number"),
        ("fare_amount", "1e1000000000000", "is out of range"),
        ("fare_amount", "10000000000", "is out of range"),
        ("fare_amount", "1e300", "is out of range"),
        ("VendorID", "1.5", "is not a whole number"),
        ("VendorID", "2147483648", "is out of range"),
        ("VendorID", "true", "is not a number"),
        ("PULocationID", "-2147483649", "is out of range"),
        ("lpep_pickup_datetime", "yesterday", "is not a date and time"),
        ("lpep_pickup_datetime", "2019-02-30 00:00:00", "is not a date and time that exists"),
        ("lpep_pickup_datetime", "2019-01-02", "is not a date and time"),
        ("lpep_pickup_datetime", "2019-01-02T03:04:05", "is not a date and time"),
        ("lpep_pickup_datetime", "2019-01-02 03:04:05.5", "is not a date and time"),
        ("lpep_dropoff_datetime", "2019-01-02 25:00:00", "is not a date and time that exists"),
        ("lpep_dropoff_datetime", "01/02/2019 03:04:05", "is not a date and time"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_shown_with_line_and_column(
    loaded: Project, name: str, value: str, cause: str
):
    put_csv(loaded.source, GREEN, JANUARY, with_value(name, value))
    # The header is line 1, so the row with index 17 is line 19.
    assert_refused(loaded, FILE, f"line 19, column {name}: “{value}” {cause}", "correct the file at its source")


@pytest.mark.parametrize(
    ("name", "field", "shown"),
    [
        ("fare_amount", "\t5", "“\\t5” is not a number"),
        ("fare_amount", '"5" ', '“"5" ” has text after its closing quote'),
        ("store_and_fwd_flag", "N\0", "“N\\x00” is not readable text"),
        ("store_and_fwd_flag", '"N', '“"N” has a quote that is not closed in its line'),
        ("store_and_fwd_flag", "N" * 65_536, ""),
    ],
    ids=["a tab", "a blank beside a quote", "a NUL", "an open quote", "a long line"],
)
def test_what_a_lenient_reader_takes_is_shown_too(loaded: Project, name: str, field: str, shown: str):
    put_csv(loaded.source, GREEN, JANUARY, with_value(name, field))
    place = f"line 19, column {name}: {shown}" if shown else "has a line of more than 65,536 bytes, line 19"
    assert_refused(loaded, FILE, place)


@pytest.mark.parametrize("end", [b"\r", b"\r\r\n", b"\n\r\n\r"], ids=["CR", "CR CR LF", "CR at the start of a line"])
def test_a_line_end_of_another_kind_is_shown_with_its_line(loaded: Project, end: bytes):
    lines = WHOLE.split(b"\r\n")
    put_csv(loaded.source, GREEN, JANUARY, b"\r\n".join(lines[:18]) + end + b"\r\n".join(lines[18:]))
    assert_refused(loaded, FILE, "has a carriage return that is not part of its line end")


def test_a_text_that_is_not_utf8_is_shown_with_line_and_column(loaded: Project):
    put_csv(loaded.source, GREEN, JANUARY, with_value("store_and_fwd_flag", "Z").replace(b",Z,", b",\xe9,"))
    assert_refused(loaded, FILE, "line 19, column store_and_fwd_flag", "is not readable text")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        pytest.param(lambda line: line.rpartition(b",")[0], 19, id="one too few"),
        pytest.param(lambda line: b",".join(line.split(b",")[:14]), 14, id="many too few"),
        pytest.param(lambda line: line + b",9", 21, id="one too many"),
        pytest.param(lambda line: line + b",", 21, id="an empty one too many"),
        pytest.param(lambda line: line + b",9,9,9", 23, id="three too many"),
    ],
)
@pytest.mark.parametrize("row", [2, 19, 61], ids=["first row", "in the middle", "last row"])
def test_a_row_with_too_few_or_too_many_fields_is_shown_with_its_line(
    loaded: Project, change: Callable[[bytes], bytes], fields: int, row: int
):
    lines = WHOLE.split(b"\r\n")
    lines[row - 1] = change(lines[row - 1])
    put_csv(loaded.source, GREEN, JANUARY, b"\r\n".join(lines))
    assert_refused(loaded, FILE, f"line {row} has {fields} fields instead of 20")


def test_a_row_whose_values_are_shifted_by_one_column_is_shown_with_its_line(loaded: Project):
    trips = made_trips(GREEN, JANUARY, 60)
    trips[17] |= {"store_and_fwd_flag": ",", "total_amount": "8", "congestion_surcharge": ""}
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    assert_refused(loaded, FILE, "line 19 has 21 fields instead of 20")


def test_many_problems_are_shown_by_the_first_three(loaded: Project):
    trips = [{**trip, "fare_amount": "x"} for trip in made_trips(GREEN, JANUARY, 60)]
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    failure = assert_refused(loaded, "line 2,", "line 3,", "line 4,", "and more")
    assert "line 5," not in failure


def test_a_quoted_field_that_spans_lines_does_not_hide_rows(loaded: Project):
    trips = made_trips(GREEN, JANUARY, 60)
    trips[5]["store_and_fwd_flag"] = '"N\r\nN"'
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    assert_refused(loaded, FILE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace(b"\r\n", b"\n"), id="unix line ends"),
        pytest.param(lambda text: text.removesuffix(b"\r\n"), id="no line end at the end"),
        pytest.param(lambda text: text.replace(b"\r\n", b"\n", 30), id="unix line ends in the first half"),
        pytest.param(lambda text: text.replace(b"\r\n", b"\n", 1), id="a header with a unix line end"),
        pytest.param(lambda text: text + b"\r\n\r\n", id="blank lines at the end"),
        pytest.param(lambda text: text + b"\r\n\n\r\n", id="blank lines of both kinds at the end"),
        pytest.param(lambda text: text.replace(b"\r\n", b"\r\n\r\n"), id="blank lines in between"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace(b",N,", b',"N",'), id="quoted"),
        pytest.param(lambda text: text.replace(b"VendorID", b"vendorid", 1), id="another spelling"),
    ],
)
def test_another_way_to_write_the_same_rows_is_the_same_month(loaded: Project, change: Callable[[bytes], bytes]):
    before = loaded.everything()
    put_csv(loaded.source, GREEN, JANUARY, change(WHOLE))
    assert loaded.run().success
    assert loaded.everything() == before


def test_a_gzip_file_of_several_members_is_read_whole(loaded: Project):
    before = loaded.everything()
    half = WHOLE.index(b"\r\n", len(WHOLE) // 2) + 2
    put_bytes(loaded.source, GREEN, JANUARY, gzip.compress(WHOLE[:half]) + gzip.compress(WHOLE[half:]))
    assert loaded.run().success
    assert loaded.everything() == before


def test_a_month_that_is_not_published_is_named_with_the_remedy(loaded: Project):
    assert_refused(loaded, "green_tripdata_2019-03.csv.gz is not in the folder", "TAXI_SOURCE", month=str(MARCH))


def test_a_month_that_disappeared_from_the_source_stays_in_the_warehouse(loaded: Project):
    (loaded.source / GREEN.file_path(JANUARY)).unlink()
    assert_refused(loaded, "is not in the folder")


def test_a_web_address_hides_its_password_where_the_month_is_missing(tmp_path: Path):
    with FileServer() as server:
        server.files["/zones"] = Served(b"")
        project = Project(tmp_path, address=f"{server.address.replace('://', '://user:secret@')}?token=hidden")
        failure = assert_refused(project, FILE)
        assert "secret" not in failure
        assert "hidden" not in failure


@pytest.mark.parametrize("text", ["2019-13", "2019-1", "19-01", "January", "", "2019-01-01", "2019-00"])
def test_what_is_no_month_is_refused_with_an_example(text: str):
    with pytest.raises(UnknownTaxiOrMonthError, match=f"“{text}” is not a month: write it as YYYY-MM, for example"):
        parse_month_range(text)


def test_a_range_that_runs_backwards_is_refused_with_the_right_one():
    with pytest.raises(
        UnknownTaxiOrMonthError, match=re.escape("runs backwards: write the earlier month first, 2019-01")
    ):
        parse_month_range("2019-03...2019-01")


@pytest.mark.parametrize("text", ["2019-11...2020-02", "2019-11..2020-02", " 2019-11...2020-02 "])
def test_a_range_includes_both_ends_and_crosses_years(text: str):
    assert parse_month_range(text) == [Month(2019, 11), Month(2019, 12), Month(2020, 1), Month(2020, 2)]


def test_a_single_month_is_a_range_of_one():
    assert parse_month_range("2020-10") == [Month(2020, 10)]


def test_an_unknown_taxi_is_refused_with_the_known_ones():
    with pytest.raises(UnknownTaxiOrMonthError, match="no taxi called “purple”: choose from fhv, fhvhv, green, yellow"):
        get_taxi("purple")


def test_a_range_that_runs_backwards_fails_the_run(loaded: Project):
    before = loaded.everything()
    outcome = loaded.run("2019-02...2019-01")
    assert not outcome.success
    assert "range of months is empty: write the earlier month first" in outcome.failure
    assert_one_sentence(outcome.failure)
    assert loaded.everything() == before


def test_a_landing_zone_that_is_a_file_is_one_sentence(project: Project):
    project.put(made_trips(GREEN, JANUARY, 5))
    project.home.mkdir()
    project.landing.write_text("in the way")
    assert_refused(project, FILE, "can't be written to the landing zone", "choose another one")
    assert project.landing.read_text() == "in the way"


def test_a_home_that_cannot_be_made_is_one_sentence(project: Project):
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(stages=("raw",)).success
    project.database = project.source / GREEN.file_path(JANUARY) / "warehouse.duckdb"
    outcome = project.run(stages=("month",))
    assert not outcome.success
    assert_one_sentence(outcome.failure)
    assert "set TAXI_HOME to a folder that can be written" in outcome.failure


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(random.Random(2).randbytes(100_000), id="random bytes"),
        pytest.param(b"SQLite format 3\0" + bytes(10_000), id="another kind of database"),
        pytest.param(b"notes\n", id="text"),
    ],
)
def test_a_file_that_is_no_duckdb_database_is_left_alone(loaded: Project, content: bytes):
    loaded.database.write_bytes(content)
    outcome = loaded.run()
    assert not outcome.success
    assert_one_sentence(outcome.failure)
    assert "can't be opened as a DuckDB database" in outcome.failure
    assert "run the job rebuild_duckdb" in outcome.failure
    assert loaded.database.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut in half", "header overwritten", "blocks overwritten"])
def test_a_damaged_warehouse_is_one_sentence(loaded: Project, damage: str):
    content = loaded.database.read_bytes()
    if damage == "cut in half":
        loaded.database.write_bytes(content[: len(content) // 2])
    if damage == "header overwritten":
        loaded.database.write_bytes(content[:4_096] + bytes(8_192) + content[12_288:])
    if damage == "blocks overwritten":
        loaded.database.write_bytes(content[:12_288] + random.Random(3).randbytes(len(content) - 12_288))
    outcome = loaded.run()
    assert not outcome.success
    assert_one_sentence(outcome.failure)
    assert str(loaded.database) in outcome.failure


def test_a_database_of_somebody_else_is_left_alone(project: Project):
    project.put(made_trips(GREEN, JANUARY, 5))
    project.home.mkdir()
    with duckdb.connect(project.database) as connection:
        connection.execute("CREATE TABLE customers AS SELECT 1 AS number")
    assert_refused(project, "is a DuckDB database that this project did not create", "customers", "TAXI_HOME")


@pytest.mark.parametrize("name", ["green_tripdata", "green_tripdata_2019_01"])
@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_a_table_of_our_name_that_is_not_ours_is_left_alone(project: Project, name: str, kind: str):
    project.put(made_trips(GREEN, JANUARY, 5))
    with project.warehouse().get_connection() as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS one")
        connection.execute("COMMENT ON TABLE mine IS 'taxi_assets: something of ours'")
        connection.execute(f"CREATE {kind} {name} AS SELECT 42 AS answer")
    outcome = project.run()
    assert not outcome.success
    assert_one_sentence(outcome.failure)
    assert (
        f"There is a table {name} that this project did not create: nothing was changed; rename it" in outcome.failure
    )
    assert project.everything()[f"{'BASE TABLE' if kind == 'TABLE' else kind} {name}"] == [(42,)]


def test_a_main_table_with_other_columns_is_left_alone(loaded: Project):
    with loaded.warehouse().get_connection() as connection:
        connection.execute("DROP VIEW green_tripdata_2019_01")
        connection.execute("DROP VIEW green_tripdata_2019_02")
        connection.execute("ALTER TABLE green_tripdata DROP COLUMN tip_amount")
    before = loaded.rows("green_tripdata")
    outcome = loaded.run()
    assert not outcome.success
    assert_one_sentence(outcome.failure)
    assert "has no column tip_amount" in outcome.failure
    assert "rename that table" in outcome.failure
    assert loaded.rows("green_tripdata") == before


def _run_with_little_room(folder: Path, room: int, stages: tuple[str, ...], report: Path) -> None:
    """In a child process: no file may grow beyond ``room`` bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    outcome = Project(folder).run(stages=stages)
    report.write_text("" if outcome.success else outcome.failure)


@pytest.mark.parametrize(
    ("stages", "room", "words"),
    [
        (("raw", "month", "main"), 200_000, ["can't be written to the landing zone", "make room"]),
        (("month", "main"), 900_000, ["DuckDB could not load green_tripdata_2019_01", "make room"]),
    ],
    ids=["landing zone", "warehouse"],
)
def test_a_full_disk_is_one_sentence_and_leaves_the_old_month(
    loaded: Project, tmp_path: Path, stages: tuple[str, ...], room: int, words: list[str]
):
    before = loaded.rows("green_tripdata")
    put_sample(loaded.source, GREEN, JANUARY, 30_000)
    if "raw" not in stages:
        assert loaded.run(stages=("raw",)).success
    report = tmp_path / "report"
    child = processes().Process(target=_run_with_little_room, args=(loaded.folder, room, stages, report))
    child.start()
    child.join()
    failure = report.read_text()
    assert_one_sentence(failure)
    for word in words:
        assert word in failure
    assert loaded.rows("green_tripdata") == before
    assert loaded.run().success
    assert len(loaded.rows("green_tripdata")) == 30_060


@pytest.mark.parametrize("room", [14_000, 20_000, 45_000, 300_000])
def test_a_file_that_can_be_written_only_at_its_beginning_is_not_damaged(loaded: Project, tmp_path: Path, room: int):
    """A checkpoint overwrites metadata in place, and damaged the file where that broke off."""
    put_sample(loaded.source, GREEN, JANUARY, 30_000)
    assert loaded.run(checks=False).success
    before = loaded.digest("green_tripdata")
    assert loaded.database.stat().st_size > room
    put_sample(loaded.source, GREEN, JANUARY, 14_000)
    assert loaded.run(stages=("raw",)).success
    report = tmp_path / "report"
    child = processes().Process(target=_run_with_little_room, args=(loaded.folder, room, ("month", "main"), report))
    child.start()
    child.join()
    assert_one_sentence(report.read_text())
    assert loaded.digest("green_tripdata") == before
    assert loaded.run(checks=False).success
    assert loaded.digest("green_tripdata")[0] == 14_060


def test_the_command_line_shows_the_sentence_and_fails(loaded: Project):
    put_csv(loaded.source, GREEN, JANUARY, with_value("fare_amount", "abc"))
    before = loaded.rows("green_tripdata")
    done = _command_line(loaded, "--partition", "2019-01")
    assert done.returncode != 0
    assert "line 19, column fare_amount: “abc” is not a number" in done.stdout + done.stderr
    assert loaded.rows("green_tripdata") == before


def test_the_command_line_refuses_a_range_that_runs_backwards(loaded: Project):
    done = _command_line(loaded, "--partition-range", "2019-02...2019-01")
    assert done.returncode != 0
    assert "write the earlier month first" in done.stdout + done.stderr


def _command_line(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    (project.home / "dagster").mkdir(exist_ok=True)
    return subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "asset", "materialize", "-m", "taxi_assets.definitions"),
            *("--select", "key:raw/green_tripdata+", *arguments),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "TAXI_HOME": str(project.home),
            "TAXI_SOURCE": str(project.source),
            "DAGSTER_HOME": str(project.home / "dagster"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
