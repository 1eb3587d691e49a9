"""The feed as a source: where a month's file is looked for, what is verified of it, and what is noted beside it."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from logging import getLogger
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taxi_assets.errors import DamagedFileError, NotPublishedError, SettingsError, UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.source.feed import FEED_ADDRESS
from taxi_assets.source.files import LandedFile, zones_file
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.resource import TripSource
from taxi_assets_tests.csv_files import made_trips, put_trips
from taxi_assets_tests.feed.parquet_files import feed_table
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
        (lambda whole: whole[:-100], "is truncated, as it does not end as a Parquet file does"),
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


def test_pages_that_cant_be_read_are_a_damaged_file_and_nothing_is_loaded(fed: FedProject):
    path = fed.publish(feed_table(GREEN, AUTUMN, 60), compression="zstd")
    spoil_a_page(path)
    assert fed.run(str(AUTUMN), stages=("raw",)).success
    failure = fed.run(str(AUTUMN), stages=("month", "main")).failure
    assert "green_tripdata_2022-10.parquet can't be read as Parquet" in failure


def test_a_file_that_changes_after_it_landed_is_not_loaded_however_it_looks(fed: FedProject):
    fed.publish(feed_table(GREEN, AUTUMN, 60), compression="zstd")
    path = land(fed).path
    as_it_was = path.stat()
    spoil_a_page(path)
    os.utime(path, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))
    failure = fed.run(str(AUTUMN), stages=("month", "main")).failure
    assert "green_tripdata_2022-10.parquet was changed after it landed: fetch it again" in failure


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
