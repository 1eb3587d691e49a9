"""The ids of trips, computed from their values as the documentation says.

An id is the MD5 of the plain concatenation of the identifying values, empty for null, timestamps as written, numbers in
their shortest form. Trips of one file that agree in all of them are ordered by all columns, nulls first; the first has
the plain id, the n-th the MD5 of that id, ``#`` and n.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chaos.strict.columns import StrictTaxi
from chaos.strict.csv_files import Row
from chaos.strict.values import Value


def trip_ids(rows: Sequence[Row], taxi: StrictTaxi) -> list[str]:
    """The id of each row, in the order of the rows."""
    names = [column.name for column in taxi.columns]
    places = [names.index(name) for name in taxi.identity]
    same: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        same[_md5("".join(_text(row[place]) for place in places))].append(number)
    ids = [""] * len(rows)
    for plain, numbers in same.items():
        ordered = sorted(numbers, key=lambda number: [_order(value) for value in rows[number]])
        for ordinal, number in enumerate(ordered, 1):
            ids[number] = plain if ordinal == 1 else _md5(f"{plain}#{ordinal}")
    return ids


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat(" ")
        case Decimal():
            text = f"{value:f}"
            shortest = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if shortest == "-0" else shortest
        case _:
            return str(value)


def _order(value: Value) -> tuple[bool, Value]:
    # Texts are compared by their UTF-8, as DuckDB does.
    return value is not None, value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value  # type: ignore[return-value]
