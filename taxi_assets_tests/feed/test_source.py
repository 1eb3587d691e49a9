"""The feed as a source: where a month's file is looked for, what is verified of it, and what is noted beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from decimal import Decimal
from hashlib import md5, sha256
from logging import getLogger
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_assets.errors import (
    DamagedFileError,
    LandingError,
    LandingInterruptedError,
    NotPublishedError,
    SettingsError,
    UnexpectedContentError,
)
from taxi_assets.months import Month
from taxi_assets.source import verify_parquet
from taxi_assets.source.feed import FEED_ADDRESS
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.raw_files import LandedFile, zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets_tests.csv_files import made_trips, put_trips
from taxi_assets_tests.feed.parquet_files import feed_table, with_column, with_value
from taxi_assets_tests.feed.project import AUTUMN, FedProject
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN
from taxi_assets_tests.source.file_server import Fault, FileServer, Served

LOG = getLogger(__name__)
PATH = "/trip-data/green_tripdata_2022-10.parquet"
LAST_OF_RELEASE, FIRST_AFTER = Month(2021, 7), Month(2021, 8)


def land(project: FedProject) -> LandedFile:
    source = project.trip_source()
    return source.land(source.trip_file(GREEN, AUTUMN), LOG)


@pytest.fixture
def body(fed: FedProject) -> bytes:
    """A month's file."""
    return fed.publish(feed_table(GREEN, AUTUMN, 60)).read_bytes()


def from_server(server: FileServer, landing: Path) -> LandedFile:
    source = TripSource(
        address="feed", feed=f"{server.address}/trip-data", landing=str(landing), attempts=2, backoff_seconds=0.01
    )
    return source.land(source.trip_file(GREEN, AUTUMN), LOG)


def test_the_official_feed_is_asked_unless_another_is_named(tmp_path: Path):
    source = TripSource(address="feed", landing=str(tmp_path))
    file = source.trip_file(GREEN, AUTUMN)
    assert source.origin(file).name == FEED_ADDRESS == source.name
    assert source.origin(zones_file()).name == RELEASE_ADDRESS


def test_a_file_lands_as_it_is_in_its_taxis_folder_with_what_was_verified_beside_it(fed: FedProject, body: bytes):
    landed = land(fed)
    assert landed.path == fed.landing / "green" / "green_tripdata_2022-10.parquet"
    assert landed.path.read_bytes() == body
    manifest = json.loads(landed.path.with_name(f"{landed.path.name}.json").read_text())
    assert (manifest["rows"], manifest["size"], manifest["sha256"]) == (60, len(body), sha256(body).hexdigest())
    assert manifest["header"] == [column.name for column in GREEN.columns]
    assert not land(fed).fetched


def test_a_web_server_is_asked_at_the_feeds_address(file_server: FileServer, tmp_path: Path, body: bytes):
    file_server.files[PATH] = Served(body, etag='"1"')
    assert from_server(file_server, tmp_path / "landing").rows == 60
    assert not from_server(file_server, tmp_path / "landing").fetched


@pytest.mark.parametrize("status", [403, 404])
def test_a_month_that_the_server_refuses_is_not_published_yet(file_server: FileServer, tmp_path: Path, status: int):
    file_server.head_faults.append(Fault(status=status))
    file_server.faults.append(Fault(status=status))
    with pytest.raises(NotPublishedError, match=r"green_tripdata_2022-10\.parquet is not published at http"):
        from_server(file_server, tmp_path / "landing")


def test_a_month_that_the_folder_lacks_is_not_published_yet(fed: FedProject):
    with pytest.raises(NotPublishedError, match=r"expected at green_tripdata_2022-10\.parquet"):
        land(fed)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: whole[:-100], r"is truncated \(it does not end as a Parquet file does\)"),
        (lambda whole: b"<!DOCTYPE html><p>Access denied", "is a web page, not a Parquet file"),
        (lambda whole: b"VendorID,fare_amount\r\n1,2", "is not a Parquet file"),
        (lambda whole: whole[:1000] + b"\xff\xff\xff\x7fPAR1", "has no Parquet footer that can be read"),
        (lambda whole: b"PAR1", "has no Parquet footer that can be read"),
    ],
    ids=["empty", "truncated", "web page", "csv", "wrong footer", "magic only"],
)
def test_what_is_no_whole_parquet_file_does_not_land(fed: FedProject, body: bytes, damage, words: str):
    path = fed.feed / "green_tripdata_2022-10.parquet"
    path.write_bytes(damage(body))
    with pytest.raises(DamagedFileError, match=words):
        land(fed)
    assert fed.landed_names() == []


def test_a_file_without_rows_does_not_land(fed: FedProject):
    fed.publish(feed_table(GREEN, AUTUMN, 0))
    with pytest.raises(UnexpectedContentError, match="holds columns but no rows"):
        land(fed)


def test_pages_that_cant_be_read_are_a_damaged_file_and_nothing_lands(fed: FedProject):
    spoil_a_page(fed.publish(feed_table(GREEN, AUTUMN, 60), compression="zstd"))
    failure = fed.run(str(AUTUMN)).failure
    assert re.search(
        r"green_tripdata_2022-10\.parquet from folder \S+ has pages that can't be read \(.+\): noth", failure
    )
    assert fed.landed_names() == []


BARE = {"compression": "none", "use_dictionary": False, "row_group_size": 25}
TIPS = with_value(feed_table(GREEN, AUTUMN, 60), "tip_amount", 999.25, row=30)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_with_other_bytes_than_their_checksum_are_refused(fed: FedProject, version: str):
    path = fed.publish(TIPS, **BARE, write_page_checksum=True, data_page_version=version)
    replace_once(path, struct.pack("<d", 999.25), struct.pack("<d", 7.25))
    with pytest.raises(DamagedFileError, match=r"has pages that can't be read \(could not verify page integrity, CRC"):
        land(fed)
    assert fed.landed_names() == []


@pytest.mark.parametrize(
    ("written", "damaged", "words"),
    [
        (struct.pack("<d", 999.25), struct.pack("<d", 7.25), "another least or greatest value of tip_amount in row gr"),
        (
            b"\2\0\0\0\x32\1",
            b"\2\0\0\0\x32\0",
            "another number of values of cbd_congestion_fee in row group 2 than its",
        ),
    ],
    ids=["value", "nulls"],
)
def test_values_that_are_not_as_the_footer_says_are_refused(
    fed: FedProject, written: bytes, damaged: bytes, words: str
):
    replace_once(fed.publish(TIPS, **BARE), written, damaged)
    with pytest.raises(DamagedFileError, match=words):
        land(fed)


def test_another_number_of_rows_in_the_footer_is_refused_as_damage(fed: FedProject):
    path = fed.publish(feed_table(GREEN, AUTUMN, 60), row_group_size=40)
    # The whole file's number of rows is the only one of them that is sixty.
    whole = path.read_bytes()
    assert whole.count(b"\x16\x78\x19") == 1
    path.write_bytes(whole.replace(b"\x16\x78\x19", b"\x16\x7a\x19"))
    with pytest.raises(DamagedFileError, match="is damaged: it has 60 rows in its pages but 61 in its footer"):
        land(fed)
    assert fed.landed_names() == []


def test_a_part_of_the_footer_that_is_damaged_is_refused_or_changes_nothing(fed: FedProject):
    sound = fed.publish(TIPS, **BARE)
    whole = sound.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    expected, names = land(fed), fed.landed_names()
    for place in range(footer + 4, len(whole) - 8, 997):
        sound.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            landed = land(fed)
        except (DamagedFileError, UnexpectedContentError):
            assert fed.landed_names() == names
        else:
            assert (landed.rows, landed.header) == (expected.rows, expected.header)


@pytest.mark.parametrize("name", [b"surge\xff_fee", b"\xf0\x28\x8c\x28rge_fee"])
def test_a_column_name_that_is_not_utf8_is_refused_and_the_source_is_asked_again(
    fed: FedProject, file_server: FileServer, tmp_path: Path, name: bytes
):
    path = fed.publish(with_column(TIPS, "surge-_fee", pa.array([1.5] * 60)), store_schema=False)
    file_server.files[PATH] = Served(path.read_bytes().replace(b"surge-_fee", name[:10]))
    for _ in range(2):
        with pytest.raises(DamagedFileError, match=r"has no Parquet footer that can be read \(a name is not UTF-8\)"):
            from_server(file_server, tmp_path / "landing")
    assert [request.headers.get("Range") for request in file_server.gets] == [None, None]
    assert list((tmp_path / "landing").rglob("*.part*")) == []


def test_a_file_that_makes_the_reader_crash_is_refused_and_the_other_months_go_on(fed: FedProject):
    months = [Month(2022, 10), Month(2022, 11), Month(2022, 12)]
    paths = [fed.publish(feed_table(GREEN, month, 30), month) for month in months]
    sound = paths[1].read_bytes()
    # In the footer, the part of a text column in a row group becomes one of numbers, at which Arrow ends the process.
    paths[1].write_bytes(sound.replace(b"\x15\x0c\x19", b"\x15\x04\x19", 1))
    failure = fed.run("2022-10...2022-12").failure
    assert "1 of 3 months failed, the others are done" in failure
    assert re.search(
        r"2022-11\.parquet from \S+ \S+ can't be read as Parquet because it makes the reader crash \(", failure
    )
    assert len(fed.rows("green_tripdata")) == 60
    paths[1].write_bytes(sound)
    assert fed.run("2022-11").success


def reader_that(folder: Path, does: str) -> Path:
    """A program in the place of the one that reads Parquet."""
    program = folder / "reader.py"
    program.write_text(f"import os, signal, sys, time\n{does}\n")
    return program


@pytest.mark.parametrize(
    ("does", "error", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", LandingInterruptedError, r"ended from outside \(signal 9\)"),
        ("raise ImportError('no pyarrow')", LandingError, r"Parquet can't be read here \(ImportError: no pyarrow\)"),
        ("time.sleep(60)", LandingInterruptedError, r"could not be verified within 0 s: nothing of it was kept"),
    ],
    ids=["killed", "cannot start", "hangs"],
)
def test_a_verification_without_a_verdict_says_why_and_the_file_is_fetched_again(
    file_server: FileServer,
    tmp_path: Path,
    body: bytes,
    monkeypatch: pytest.MonkeyPatch,
    *,
    does: str,
    error,
    words: str,
):
    file_server.files[PATH] = Served(body, etag='"1"')
    with monkeypatch.context() as patch:
        patch.setattr(verify_parquet, "_READER", reader_that(tmp_path, does))
        patch.setattr(verify_parquet, "_SECONDS", 0.2 if "sleep" in does else 600)
        with pytest.raises(error, match=words):
            from_server(file_server, tmp_path / "landing")
    assert from_server(file_server, tmp_path / "landing").rows == 60
    assert [request.headers.get("Range") for request in file_server.gets] == [None, None]


def test_an_etag_that_is_the_md5_of_the_file_is_compared(file_server: FileServer, tmp_path: Path, fed: FedProject):
    path = fed.publish(TIPS, **BARE)
    whole = Served(path.read_bytes(), etag=f'"{md5(path.read_bytes()).hexdigest()}"')
    replace_once(path, struct.pack("<d", 999.25), struct.pack("<d", 7.25))
    file_server.files[PATH] = Served(path.read_bytes(), etag=whole.etag)
    file_server.faults.extend([Fault(), Fault(becomes=whole)])
    landed = from_server(file_server, tmp_path / "landing")
    assert landed.path.read_bytes() == whole.body


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5, None] * 30, pa.float16()),
        pa.array([[1.5], None] * 30, pa.list_(pa.float16())),
        pa.array([Decimal("1.50"), None] * 30, pa.decimal256(50, 2)),
        pa.array([1, None] * 30, pa.duration("us")),
        pa.array([1, None] * 30, pa.uint64()),
        pa.array(["a", None] * 30, pa.string_view()),
        pa.array([b"a", None] * 30, pa.binary_view()),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_lands_whatever_its_type(fed: FedProject, column: pa.Array):
    fed.publish(with_column(feed_table(GREEN, AUTUMN, 60), "surge", column))
    assert land(fed).unknown_columns == {"surge": 30}


def test_float16_values_of_a_defined_column_land_and_their_nulls_are_compared(fed: FedProject):
    values = pa.array([2.5] * 10 + [None] * 50, pa.float16())
    table = TIPS.set_column(TIPS.schema.get_field_index("tip_amount"), "tip_amount", values)
    path = fed.publish(table, **BARE)
    assert land(fed).rows == 60
    replace_once(path, b"\4\0\0\0\x14\1\x1e\0", b"\4\0\0\0\x14\0\x1e\0")
    with pytest.raises(DamagedFileError, match="another number of values of tip_amount in row group 1"):
        land(fed)


def test_columns_that_the_definition_doesnt_know_are_counted_whatever_their_names_and_shapes(fed: FedProject):
    table = feed_table(GREEN, AUTUMN, 400)
    values = [1.5] * 300 + [None] * 100
    columns = {
        "tip.extra": pa.array(values),
        "tip": pa.array([{"extra": value, "note": None} if value else None for value in values]),
        "many": pa.array([[value, value] if value else None for value in values]),
        "map": pa.array([[("a", 1)] if value else None for value in values], pa.map_(pa.string(), pa.int64())),
        "none": pa.nulls(400),
        "words": pa.array(["a" if value else None for value in values]).dictionary_encode(),
    }
    for name, column in columns.items():
        table = with_column(table, name, column)
    fed.publish(table, row_group_size=150)
    assert land(fed).unknown_columns == {**dict.fromkeys(columns, 300), "none": 0}


def odd_values() -> pa.Table:
    """Trips with values that writers and readers treat in ways of their own."""
    table = feed_table(GREEN, AUTUMN, 60)
    table = with_column(table, "tip_amount", pa.array([float("nan"), -0.0, 0.0, None] * 15))
    table = with_column(table, "extra", pa.array([-0.0, float("inf")] * 30))
    table = with_column(table, "mta_tax", pa.array([float("nan")] * 60))
    table = with_column(table, "fare_amount", pa.float32())
    table = with_column(table, "store_and_fwd_flag", pa.array(["", "ü" * 200, None] * 20).dictionary_encode())
    table = with_column(table, "payment_type", pa.array([2**64 - 1, 0] * 30, pa.uint64()))
    table = with_column(table, "trip_type", pa.array([-128, 127] * 30, pa.int8()))
    table = with_column(table, "tolls_amount", pa.decimal128(20, 6))
    table = with_column(table, "lpep_pickup_datetime", pa.array([-(2**63), 2**63 - 1] * 30, pa.timestamp("us")))
    return with_column(table, "lpep_dropoff_datetime", pa.timestamp("ns"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False, "compression": "none", "row_group_size": 7},
        {"data_page_version": "2.0", "compression": "brotli", "write_page_index": True, "write_page_checksum": True},
        {"version": "1.0", "use_deprecated_int96_timestamps": True},
        {"coerce_timestamps": "ms", "allow_truncated_timestamps": True, "store_schema": False},
        {"write_statistics": False, "data_page_size": 64, "compression": "gzip"},
        {"column_encoding": "BYTE_STREAM_SPLIT", "columns": ["tip_amount", "extra", "mta_tax", "fare_amount"]},
    ],
    ids=str,
)
def test_what_a_sound_writer_writes_lands_whatever_its_values(fed: FedProject, options: dict[str, Any]):
    table = odd_values()
    if "column_encoding" in options:
        floats = options.pop("columns")
        options = {"column_encoding": dict.fromkeys(floats, options["column_encoding"]), "use_dictionary": False}
    if "coerce_timestamps" in options or "version" in options:
        table = with_column(
            table, "lpep_pickup_datetime", pa.array([0, 1_664_582_400_000_000] * 30, pa.timestamp("us"))
        )
    fed.publish(table, **options)
    assert land(fed).rows == 60


def test_what_other_libraries_write_lands_too(fed: FedProject):
    table = odd_values()
    path = fed.publish(table)
    pl.from_arrow(table).write_parquet(path)
    assert land(fed).rows == 60
    trips = with_column(table, "lpep_pickup_datetime", feed_table(GREEN, AUTUMN, 60)["lpep_pickup_datetime"])
    duckdb.sql("FROM trips").write_parquet(str(path))
    assert land(fed).rows == trips.num_rows


def test_a_page_that_needs_too_much_memory_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"bomb": pa.array(["x" * 200_000_000])}), path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 1_000_000
    code = (
        "import runpy, sys, pathlib, json\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import read_parquet\n"
        "read_parquet._MOST_MEMORY = 256 * 1024**2\n"
        "print(json.dumps(read_parquet.main(pathlib.Path(sys.argv[2]))))\n"
    )
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(verify_parquet._READER, folder)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(path)],
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"damage": "has pages that can't be read (it needs more than 256 MiB of memory)"}


def test_a_file_that_changes_after_it_landed_is_not_loaded_however_it_looks(fed: FedProject):
    fed.publish(feed_table(GREEN, AUTUMN, 60), compression="zstd")
    path = land(fed).path
    as_it_was = path.stat()
    spoil_a_page(path)
    os.utime(path, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))
    failure = fed.run(str(AUTUMN), stages=("month", "main")).failure
    assert "green_tripdata_2022-10.parquet was changed after it landed: fetch it again" in failure


def replace_once(path: Path, old: bytes, new: bytes) -> None:
    """Change the last occurrence of some bytes before the footer, which is in a page and not in a page's header."""
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    before, found, after = whole[:footer].rpartition(old)
    assert found
    path.write_bytes(before + new + after + whole[footer:])


def spoil_a_page(path: Path) -> None:
    with pq.ParquetFile(path) as parquet:
        start = parquet.metadata.row_group(0).column(8).data_page_offset
    spoilt = bytearray(path.read_bytes())
    spoilt[start : start + 40] = b"\xff" * 40
    path.write_bytes(spoilt)


def test_auto_takes_the_release_as_long_as_it_goes_and_then_the_feed(fed: FedProject):
    fed.source_name = "auto"
    put_trips(fed.source, GREEN, LAST_OF_RELEASE, made_trips(GREEN, LAST_OF_RELEASE, 20))
    for month in (LAST_OF_RELEASE, FIRST_AFTER):
        fed.publish(feed_table(GREEN, month, 30), month)
    outcome = fed.run(f"{LAST_OF_RELEASE}...{FIRST_AFTER}")
    assert outcome.success, outcome.failure
    names = [row["filename"] for row in fed.rows("green_tripdata")]
    assert names == ["green_tripdata_2021-07.csv"] * 20 + ["green_tripdata_2021-08.parquet"] * 30
    raw = outcome.materialized("raw/green_tripdata")
    assert [raw[str(month)]["origin"] for month in (LAST_OF_RELEASE, FIRST_AFTER)] == [
        f"folder {fed.source}",
        f"folder {fed.feed}",
    ]


def test_a_month_that_changes_its_source_is_replaced(fed: FedProject):
    fed.source_name = "release"
    fed.put(made_trips(GREEN, LAST_OF_RELEASE, 20), LAST_OF_RELEASE)
    assert fed.run(str(LAST_OF_RELEASE)).success
    fed.source_name = "feed"
    fed.publish(feed_table(GREEN, LAST_OF_RELEASE, 30), LAST_OF_RELEASE)
    merged = fed.run(str(LAST_OF_RELEASE)).materialized("duckdb/green_tripdata")[str(LAST_OF_RELEASE)]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (10, 20, 0)
    assert {row["filename"] for row in fed.rows("green_tripdata")} == {"green_tripdata_2021-07.parquet"}


def test_runs_say_which_file_they_are_about(fed: FedProject, body: bytes):
    assert fed.run(str(AUTUMN)).success
    (run,) = fed.instance.get_runs()
    assert run.tags["file"] == "green_tripdata_2022-10.parquet"


def test_an_address_that_is_no_place_is_told_by_the_settings_name(tmp_path: Path):
    source = TripSource(address="feed", feed="nowhere", landing=str(tmp_path))
    with pytest.raises(SettingsError, match="TAXI_FEED_URL is “nowhere”, which is neither a folder that exists nor"):
        source.origin(source.trip_file(GREEN, AUTUMN))


@needs_real_data
def test_published_months_land(fed: FedProject):
    assert REAL_DATA is not None
    for path in (REAL_DATA / "parquet").glob("*.parquet"):
        shutil.copy(path, fed.feed)
    source = fed.trip_source()
    months = [Month(2021, 1), Month(2021, 2), Month(2025, 10)]
    landed = [source.land(source.trip_file(GREEN, month), LOG) for month in months]
    assert [(file.rows, file.unknown_columns) for file in landed] == [(76_518, {}), (64_572, {}), (49_416, {})]
