"""What a Parquet file of the feed holds: its rows as exact values, or why it must or may be refused, and where."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from chaos.strict.columns import StrictColumn, StrictTaxi
from chaos.strict.csv_files import Place, Reading
from chaos.strict.parquet_tables import Cell, StrictTable
from chaos.strict.values import Meaning, Value, decimal_meaning, integer_meaning, meaning

_UNITS = {"timestamp[s]": 1, "timestamp[ms]": 1_000, "timestamp[us]": 1_000_000, "timestamp[ns]": 1_000_000_000}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - New York's local time, without a zone
_FLOAT_DIGITS = 24
EMPTY_TEXT = "is an empty text"


def damaged(cause: str) -> Reading:
    """The reading of a file that can't be read as a whole."""
    return Reading(None, [f"damaged: {cause}"])


def read_parquet(table: StrictTable, taxi: StrictTaxi) -> Reading:
    """What the table holds by the taxi's definition: columns by their names, in any case and order."""
    by_name = {column.name.lower(): column for column in taxi.columns}
    times = Counter(name.lower() for name in table.names)
    missing = [column.name for column in taxi.release_columns if column.name.lower() not in times]
    twice = [name for name, count in times.items() if count > 1 and name in by_name]
    if missing or twice:
        return Reading(None, [f"columns: missing {missing}, twice {twice}"])
    whole: list[str] = []
    places: list[Place] = []
    must_refuse = False
    values: dict[str, Sequence[Value]] = {}
    rows = max(map(len, table.columns), default=0)
    for place, name in enumerate(table.names):
        column = by_name.get(name.lower())
        if place in table.faults:
            whole.append(f"damaged: column {name}: {table.faults[place]}")
            # A column that is not loaded may be damaged without harm.
            must_refuse = must_refuse or column is not None
            continue
        if column is None:
            continue
        if not _fits(table.types[place], column):
            return Reading(None, [f"columns: {name} is of type {table.types[place]}"])
        if table.types[place].startswith("decimal256"):
            whole.append(f"columns: {name} is of a type that few readers know")
        found = [_meaning(cell, table.types[place], column) for cell in table.columns[place]]
        places += [
            Place(each.fault, frozenset({row}), column.name, each.must_refuse)
            for row, each in enumerate(found, 1)
            if each.fault
        ]
        must_refuse = must_refuse or any(each.must_refuse for each in found)
        values[column.name] = [each.value for each in found]
    if rows == 0 and not whole:
        return Reading(None, ["no rows"])
    if must_refuse:
        return Reading(None, whole, places)
    nothing: list[Value] = [None] * rows
    made = list(zip(*(values.get(c.name, nothing) for c in taxi.columns), strict=True))
    has_empty_text = any(place.what == EMPTY_TEXT for place in places)
    return Reading(made, whole, places, empty_text_is_null=not has_empty_text)


def _fits(type_: str, column: StrictColumn) -> bool:
    if type_.startswith("dictionary<values="):
        type_ = type_.removeprefix("dictionary<values=").partition(",")[0]
    if type_ == "null":
        return True
    match column.kind:
        case "integer" | "decimal":
            return type_.startswith(("int", "uint", "float", "double", "halffloat", "decimal"))
        case "timestamp":
            return type_ in _UNITS
        case _:
            return type_ in ("string", "large_string", "string_view")


def _meaning(cell: Cell, type_: str, column: StrictColumn) -> Meaning:  # noqa: PLR0911 - a kind each
    if cell is None:
        return Meaning()
    if column.kind == "timestamp":
        assert isinstance(cell, int)  # noqa: S101
        return _timestamp(cell, _UNITS[type_])
    if column.kind == "text":
        if isinstance(cell, bytes):
            return Meaning(None, "is not UTF-8", must_refuse=True)
        assert isinstance(cell, str)  # noqa: S101
        # An empty text may be kept as one, unlike an empty field.
        return Meaning("", EMPTY_TEXT) if cell == "" else meaning("text", cell)
    if isinstance(cell, float) and not math.isfinite(cell):
        return Meaning(None, "is not a finite number", must_refuse=True)
    if column.kind == "integer":
        return integer_meaning(Decimal(cell))  # type: ignore[arg-type]
    if type_ in ("float", "halffloat") and isinstance(cell, float):
        return _short_float(cell)
    # A double stands for the shortest number that is rounded to it: 0.1, and not 0.1000000000000000055.
    number = Decimal(repr(cell)) if isinstance(cell, float) else Decimal(cell)  # type: ignore[arg-type]
    return decimal_meaning(number, is_computed=isinstance(cell, float))


def _timestamp(count: int, per_second: int) -> Meaning:
    seconds, rest = divmod(count, per_second)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return Meaning(None, "is out of the range of years 1 to 9999", must_refuse=True)
    if rest:
        return Meaning(None, "has a fraction of a second", must_refuse=True)
    return Meaning(moment)


def _short_float(cell: float) -> Meaning:
    """A number of 32 bits: what it was rounded from may be taken for its value, or it may be refused."""
    exact = Decimal(cell)
    found = decimal_meaning(exact, is_computed=False)
    if not found.must_refuse:
        return found
    rounded = round(exact, 4)
    step = Decimal(2) ** (math.frexp(cell)[1] - _FLOAT_DIGITS)
    if abs(exact - rounded) <= step and abs(rounded) < Decimal(10**10):
        return Meaning(rounded, "is a number of 32 bits")
    return found
