"""Files in the published shape, written here with just the rows or the damage that a test is about."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from taxi_assets.months import Month
from taxi_assets.source.sample.origin import write_trips
from taxi_assets.taxis import Taxi

Trip = dict[str, str]
"""One row of a file: the text of each field by its column's name."""

_ORDINARY = {"integer": "1", "decimal": "0.5", "timestamp": "", "text": "N"}


def made_trips(taxi: Taxi, month: Month, count: int) -> list[Trip]:
    """Trips that are all alike but for their time, places and amounts, one a minute."""
    start = datetime.fromisoformat(f"{month}-01")
    return [_made_trip(taxi, start + timedelta(minutes=number), number) for number in range(count)]


def _made_trip(taxi: Taxi, pickup: datetime, number: int) -> Trip:
    known = {
        "pickup": str(pickup),
        "dropoff": str(pickup + timedelta(minutes=12, seconds=number % 60)),
        "pickup_zone": str(1 + number % 263),
        "dropoff_zone": str(1 + number % 251),
        "distance": f".{10 + number % 90}",
        "fare": f"{5 + number % 40}.5",
        "total": f"{8 + number % 40}.3",
    }
    return {column.name: known.get(column.meaning, _ORDINARY[column.kind]) for column in taxi.release_columns}


def csv_bytes(header: Sequence[str], trips: Iterable[Trip]) -> bytes:
    """The trips as a CSV in the published shape: CRLF, no quotes, columns in the order of the header."""
    lines = [",".join(header), *(",".join(trip[name] for name in header) for trip in trips), ""]
    return "\r\n".join(lines).encode()


def put_csv(source: Path, taxi: Taxi, month: Month, content: bytes) -> Path:
    """Put a CSV in the source, compressed, in place of what was there."""
    return put_bytes(source, taxi, month, gzip.compress(content, 1, mtime=0))


def put_trips(source: Path, taxi: Taxi, month: Month, trips: Iterable[Trip]) -> Path:
    """Put a file with these trips in the source."""
    return put_csv(source, taxi, month, csv_bytes(taxi.header, trips))


def put_sample(source: Path, taxi: Taxi, month: Month, rows: int) -> Path:
    """Put a file with that many of the sample's trips, oddities included, in the source."""
    made = io.BytesIO()
    write_trips(taxi, month, made, rows=rows, compress_level=1)
    return put_bytes(source, taxi, month, made.getvalue())


def put_bytes(source: Path, taxi: Taxi, month: Month, content: bytes) -> Path:
    """Put these bytes in the source under the month's name, whatever they are."""
    path = source / taxi.file_path(month)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read_trips(path: Path) -> list[Trip]:
    """The trips of a file as text, read by Python's own modules, independently of the project."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
