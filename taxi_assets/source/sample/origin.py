"""The sample: a source without a network, which makes every file itself, with the same bytes each time."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from math import isqrt
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from taxi_assets.errors import NotPublishedError
from taxi_assets.months import Month
from taxi_assets.published import published_month
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.source.raw_files import FileVersion, RawFile
from taxi_assets.source.sample.csv import csv_header, csv_lines
from taxi_assets.source.sample.draws import Draws
from taxi_assets.source.sample.habits import Calendar, Habits
from taxi_assets.source.sample.oddities import Oddities, plant_oddities
from taxi_assets.source.sample.other_columns import other_columns
from taxi_assets.source.sample.trips import Trips, ordinary_trips
from taxi_assets.source.sample.zones import write_zones
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.zones import ZONES_PATH

__all__ = ["SampleOrigin", "sample_rows", "write_trips", "write_zones"]

# Raise it with every change to what the sample's files hold, so that what landed before is fetched again.
_SAMPLE_VERSION: Final = "sample-1"
_ROWS_OF_UNKNOWN_MONTH: Final = 4_000
_CHUNK_ROWS: Final = 32_000  # an even number; small enough for a processor's cache


class SampleOrigin:
    """Makes the trip files of all published months, and the zones."""

    name = SAMPLE_NAME
    is_release = False
    is_remote = False

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:  # noqa: ARG002 - any origin's
        """The file's version, which changes only when this project changes its sample.

        Raises:
            NotPublishedError: The sample does not make that file.
        """
        if file.path != ZONES_PATH and file.path not in _trip_files():
            raise NotPublishedError(f"The sample has no {file.path}: choose {_offer()}.")
        return FileVersion(size=None, etag=f"{_SAMPLE_VERSION}/{file.name}")

    def fetch(self, file: RawFile, target: Path, log: logging.Logger) -> FileVersion:
        """Write the whole file to ``target``.

        Raises:
            NotPublishedError: The sample does not make that file.
            OSError: ``target`` can't be written.
        """
        version = self.version(file)
        with target.open("wb") as stream:
            if file.path == ZONES_PATH:
                write_zones(stream)
            else:
                write_trips(*_trip_files()[file.path], stream)
        log.info("Made %s as a sample, %s bytes", file.name, f"{target.stat().st_size:,}")
        return version


def write_trips(
    taxi: Taxi, month: Month, target: BinaryIO, *, rows: int | None = None, compress_level: int = 6
) -> None:
    """Write a month's file as it would be published, gzip-compressed. The CSV inside is the same on every machine.

    Args:
        taxi: The taxi.
        month: The month.
        target: Where the bytes go; it is not closed.
        rows: Number of data rows; ``sample_rows`` by default.
        compress_level: From 1 (fast) to 9 (small).
    """
    rows = sample_rows(taxi, month) if rows is None else rows
    # Without a time in its header, the gzip file depends on nothing but its content and the version of zlib.
    with gzip.GzipFile(taxi.csv_name(month), "wb", compress_level, target, mtime=0) as packed:
        packed.write(csv_header(taxi))
        for trips in _trips(taxi, month, rows):
            packed.write(csv_lines(taxi, trips))


def sample_rows(taxi: Taxi, month: Month) -> int:
    """Number of trips that the sample has of a month: it follows the published number, from about 12,000 down to 800.

    It grows with the square root, so that even the smallest month is large enough for every kind of odd row.
    """
    published = published_month(taxi, month).release
    return isqrt(20 * published.rows) if published else _ROWS_OF_UNKNOWN_MONTH


def _trips(taxi: Taxi, month: Month, rows: int) -> Iterator[Trips]:
    """All trips of a file, ordered by the hour of their pickup, in chunks, so that a month takes the memory of one."""
    habits = Habits(taxi, month)
    calendar = Calendar(month, rows)
    for first in range(0, rows, _CHUNK_ROWS):
        places = np.arange(first, min(first + _CHUNK_ROWS, rows), dtype=np.int64)
        chunk = f"{taxi.name}/{month}/{rows}/{first}"
        draws = Draws(chunk, len(places))
        odd = Oddities(places)
        unmetered = draws.chance(habits.unmetered_per_mille) | odd.huge_distance
        trips = ordinary_trips(habits, calendar.pickups(places, draws), unmetered, draws)
        trips.other = other_columns(taxi, chunk, trips.pickup)
        plant_oddities(taxi, trips, odd, calendar, draws)
        yield trips


@cache
def _trip_files() -> Mapping[str, tuple[Taxi, Month]]:
    files = {}
    for taxi in all_taxis().values():
        month = taxi.first_month
        while month <= taxi.last_month:
            files[taxi.file_path(month)] = (taxi, month)
            month = month.next()
    return files


def _offer() -> str:
    taxis = [f"{taxi.name} from {taxi.first_month} to {taxi.last_month}" for taxi in all_taxis().values()]
    return f"{', '.join(taxis)}, or {ZONES_PATH}"
