"""Small files in the shape of the published ones, made here."""

from __future__ import annotations

import gzip
import random

from taxi_assets.months import Month
from taxi_assets.source.raw_files import RawFile, trip_file
from taxi_assets.taxis import get_taxi

GREEN = get_taxi("green")
FILE: RawFile = trip_file(GREEN, Month(2019, 1))
HEADER = ",".join(GREEN.header)


def made_csv(rows: int = 2_000, seed: int = 0) -> bytes:
    """A CSV with the header of green taxis and rows that compress badly enough to be sent in several pieces."""
    numbers = random.Random(seed)
    lines = [",".join(str(numbers.randrange(10**6)) for _ in GREEN.header) for _ in range(rows)]
    return "\r\n".join([HEADER, *lines, ""]).encode()


def made_gzip(rows: int = 2_000, seed: int = 0) -> bytes:
    """The same, compressed, the same bytes every time."""
    return gzip.compress(made_csv(rows, seed), mtime=0)
