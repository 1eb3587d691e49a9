"""Trips as the lines of a published file: CRLF, no quotes, ``.79`` miles but ``0.5`` dollars, nothing for null.

A chunk becomes one array of fixed-width lines, filled column by column from tables of ready text and padded with
NUL. Without the NULs it is the CSV. This takes a fraction of the time of joining each line in Python.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from taxi_assets.source.sample.draws import Integers, Text
from taxi_assets.source.sample.habits import DAY
from taxi_assets.source.sample.other_columns import possible_texts
from taxi_assets.source.sample.trips import NOTHING, Trips
from taxi_assets.taxis import Column, Taxi

Field = list[Text]

# Tables of text by value. Where a value may be missing, the last text is empty, so that the index -1 finds it.
_DAYS: Final = np.array([*(f"{day} " for day in np.arange("1970-01-01", "2050-01-01", dtype="datetime64[D]")), ""], "S")
_MINUTES: Final = np.array([*(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(DAY // 60)), ""], "S")
_SECONDS: Final = np.array([*(f"{second:02d}" for second in range(60)), ""], "S")
_SMALL: Final = np.array([*range(1000), ""], "S")
_FLAGS: Final = np.array(["N", "Y", ""], "S")
_WHOLE: Final = np.append(np.arange(250_000).astype("S6"), b"")
_WHOLE_BUT_ZERO: Final = np.where(_WHOLE == b"0", b"", _WHOLE)
_HUNDREDTHS: Final = np.array([f".{cents:02d}" for cents in range(100)], "S")
_CENTS: Final = np.array(["", *(f".{cents:02d}".rstrip("0") for cents in range(1, 100)), ""], "S")
_SIGNS: Final = np.array(["", "-"], "S")


def csv_header(taxi: Taxi) -> bytes:
    """The first line of the taxi's files."""
    return ",".join(taxi.header).encode("ascii") + b"\r\n"


def csv_lines(taxi: Taxi, trips: Trips) -> bytes:
    """One line per trip, with fields in the order of the taxi's columns."""
    pieces: list[Text | bytes] = []
    for column in taxi.release_columns:
        pieces += [*_field(column, trips), b","]
    pieces[-1] = b"\r\n"
    return _joined(pieces, len(trips.pickup))


def _joined(pieces: list[Text | bytes], rows: int) -> bytes:
    widths = [len(piece) if isinstance(piece, bytes) else piece.itemsize for piece in pieces]
    lines = np.empty(rows, [(f"piece{number}", f"S{width}") for number, width in enumerate(widths)])
    for number, piece in enumerate(pieces):
        lines[f"piece{number}"] = piece
    return lines.tobytes().translate(None, b"\0")


def _field(column: Column, trips: Trips) -> Field:
    if column.meaning is None:
        values = trips.other[column.name]
        return _timestamp(values) if column.kind == "timestamp" else [possible_texts(column)[values]]
    values = getattr(trips, column.meaning)
    if column.meaning in _OF_MEANINGS:
        return _OF_MEANINGS[column.meaning](values)
    match column.kind:
        case "timestamp":
            return _timestamp(values)
        case "integer":
            return _integer(values)
        case "decimal":
            return _amount(values)
        case "text":
            return _flag(values)


def _timestamp(seconds: Integers) -> Field:
    day, second = np.divmod(seconds, DAY)
    missing = seconds == NOTHING
    places = (day, second // 60, second % 60)
    return [text[np.where(missing, -1, place)] for text, place in zip((_DAYS, _MINUTES, _SECONDS), places, strict=True)]


def _integer(values: Integers) -> Field:
    return [_SMALL[np.maximum(values, -1)]]


def _number(values: Integers) -> Field:
    """A whole number of any size."""
    missing = values == NOTHING
    return [
        _SIGNS[((values < 0) & ~missing).astype(np.int64)],
        _WHOLE[np.where(missing, -1, np.abs(values))],
    ]


def _flag(values: Integers) -> Field:
    return [_FLAGS[np.maximum(values, -1)]]


def _distance(hundredths: Integers) -> Field:
    return [_WHOLE_BUT_ZERO[hundredths // 100], _HUNDREDTHS[hundredths % 100]]


def _amount(cents: Integers) -> Field:
    missing = cents == NOTHING
    negative = (cents < 0) & ~missing
    whole, hundredths = np.divmod(np.abs(cents), 100)
    return [
        _SIGNS[negative.astype(np.int64)],
        _WHOLE[np.where(missing, -1, whole)],
        _CENTS[np.where(missing, -1, hundredths)],
    ]


_OF_MEANINGS: Final = {"distance": _distance, "duration": _number}
"""Columns whose values have another form than the others of their kind."""
