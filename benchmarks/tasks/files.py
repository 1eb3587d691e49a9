"""Tasks that generate, correct and land raw files."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.tasks.stopwatch import Stopwatch
from benchmarks.tasks.system_cache import read_once
from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.raw_files import LandedFile, feed_file, zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets.source.sample.origin import SampleOrigin, write_trips
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import Kind, Taxi, get_taxi

_COMPRESS_LEVEL: Final = 6  # gzip's own default, as published files have it
_LINES_AT_ONCE: Final = 50_000
_BLOCK_BYTES: Final = 1024 * 1024
_CHANGED_EVERY, _VANISHED_EVERY = 100, 1_000

_FEED_TYPES: Final[Mapping[Kind, str]] = {
    "integer": "BIGINT",
    "decimal": "DOUBLE",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
}

_log = logging.getLogger(__name__)


def make_months(cache: str, taxis: list[str], months: list[str], rows: int | None) -> dict[str, Any]:
    """Generate the missing files of those months in a folder that serves as a source.

    Args:
        cache: The parent of such folders.
        taxis: Names of the taxis.
        months: The months.
        rows: Rows of each file; None for the sample's own numbers.
    """
    source = Path(cache) / _sample_version() / ("own-size" if rows is None else f"{rows}-rows")
    files = 0
    with Stopwatch() as watch:
        for taxi in map(get_taxi, taxis):
            for month in map(Month.parse, months):
                files += _make_file(source / taxi.file_path(month), taxi, month, rows)
    return {"source": str(source), "files": files, "seconds": watch.seconds}


def _sample_version() -> str:
    """Return a version that changes with the content of the sample's files, so that they are generated again."""
    version, _, _ = (SampleOrigin().version(zones_file()).etag or "").partition("/")
    return version


def _make_file(path: Path, taxi: Taxi, month: Month, rows: int | None) -> bool:
    """Generate one file if it is missing, and return whether it was."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    with draft.open("wb") as stream:
        write_trips(taxi, month, stream, rows=rows, compress_level=_COMPRESS_LEVEL)
    draft.replace(path)
    return True


def describe(source: str, taxi: str, month: str) -> dict[str, Any]:
    """Return where a month's file is, and what a reader without this project must know about it."""
    known_taxi = get_taxi(taxi)
    return {
        "path": str(Path(source) / known_taxi.file_path(Month.parse(month))),
        "kinds": {column.name: column.kind for column in known_taxi.release_columns},
        "identity": known_taxi.identity,
    }


def correct_month(source: str, corrected: str, taxi: str, month: str) -> dict[str, Any]:
    """Write a corrected edition of a month's file into another folder.

    One row in a hundred has another total; one in a thousand is removed; one in a thousand is repeated with another
    fare, which makes it a new trip.
    """
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    target = Path(corrected) / known_taxi.file_path(known_month)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        gzip.open(Path(source) / known_taxi.file_path(known_month), "rb") as lines,
        gzip.open(target, "wb", compresslevel=1) as out,
    ):
        out.write(next(lines))
        corrections = _corrected(lines, known_taxi)
        while batch := b"".join(islice(corrections, _LINES_AT_ONCE)):
            out.write(batch)
    return {}


def _corrected(lines: Iterator[bytes], taxi: Taxi) -> Iterator[bytes]:
    total, fare = taxi.header.index("total_amount"), taxi.header.index("fare_amount")
    for number, line in enumerate(lines):
        if number % _VANISHED_EVERY == 1:
            continue
        yield _with(line, total, b"12.34") if number % _CHANGED_EVERY == 0 else line
        if number % _VANISHED_EVERY == 2:  # noqa: PLR2004 - any other row than those above
            yield _with(line, fare, b"4321.5")


def _with(line: bytes, place: int, value: bytes) -> bytes:
    fields = line.rstrip(b"\r\n").split(b",")
    fields[place] = value
    return b",".join(fields) + b"\r\n"


def make_feed_month(source: str, feed: str, taxi: str, month: str, times: int) -> dict[str, Any]:
    """Turn a month's file of the release into one of the feed, in a folder that serves as a feed.

    Args:
        source: Folder of the release's file.
        feed: Folder of the feed.
        taxi: The taxi.
        month: The month.
        times: How often each trip is written, each time as another trip that began a second later.
    """
    known_taxi = get_taxi(taxi)
    file = feed_file(known_taxi, Month.parse(month))
    path = Path(source) / known_taxi.file_path(Month.parse(month))
    kinds = {column.name: column.kind for column in known_taxi.release_columns}
    columns = ", ".join(f"{literal(name)}: {literal(_FEED_TYPES[kind])}" for name, kind in kinds.items())
    trips = f"read_csv({literal(str(path))}, header = true, auto_detect = false, columns = {{{columns}}})"
    pickup = identifier(known_taxi.pickup)
    target = Path(feed) / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with Stopwatch() as watch, duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        ((rows,),) = connection.execute(
            f"""
            COPY (
                SELECT "trip".* REPLACE ({pickup} + to_seconds("number") AS {pickup})
                FROM {trips} AS "trip", range({times}) AS "repetitions"("number")
            ) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 1048576)
            """
        ).fetchall()
    return {"seconds": watch.seconds, "rows": rows}


def land(source: str, landing: str, taxi: str, month: str, *, from_feed: bool = False) -> dict[str, Any]:
    """Land a month from a folder that serves as a source or as the feed: copy, verify, flush to the disk."""
    trip_source = TripSource(address="feed" if from_feed else source, feed=source, landing=landing)
    file = trip_source.trip_file(get_taxi(taxi), Month.parse(month))
    read_once(Path(source) / (file.name if from_feed else file.path))
    with Stopwatch() as watch:
        landed = trip_source.land(file, _log)
    return {"seconds": watch.seconds, "rows": landed.rows, "csv_size": landed.csv_size, "fetched": landed.fetched}


def unpack(landing: str, target: str, taxi: str, month: str) -> dict[str, Any]:
    """Write a landed month's CSV without compression, and flush it to the disk."""
    landed = landed_file(landing, get_taxi(taxi), Month.parse(month))
    with gzip.open(landed.path, "rb") as packed, Path(target).open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, _BLOCK_BYTES)
        unpacked.flush()
        os.fsync(unpacked.fileno())
    return {}


def landed_file(landing: str, taxi: Taxi, month: Month, *, from_feed: bool = False) -> LandedFile:
    """Return the landed file of a month, after reading it into the system's cache."""
    with current_file(landing, taxi, month, from_feed=from_feed).unchanged() as landed:
        read_once(landed.path)
    return landed


def current_file(landing: str, taxi: Taxi, month: Month, *, from_feed: bool = False) -> CurrentFile:
    """The landed file of a month, as the project's loads look it up."""
    source = TripSource(address="feed" if from_feed else "release", landing=landing)
    return source.current(source.trip_file(taxi, month))
