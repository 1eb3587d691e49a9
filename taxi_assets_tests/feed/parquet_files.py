"""Files in the feed's shape, written here with just the rows, columns and types that a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets_tests.csv_files import Trip, made_trips

_TYPES = {"integer": pa.int64(), "decimal": pa.float64(), "timestamp": pa.timestamp("us"), "text": pa.string()}
_VALUES = {"integer": int, "decimal": float, "timestamp": datetime.fromisoformat, "text": str}


def feed_table(taxi: Taxi, month: Month, count: int) -> pa.Table:
    """The trips of ``made_trips`` as the feed has them, with a value in each column that only the feed has."""
    return table_of(taxi, made_trips(taxi, month, count))


def table_of(taxi: Taxi, trips: Sequence[Trip]) -> pa.Table:
    """Trips of a CSV as the feed has them."""
    columns: dict[str, pa.Array] = {}
    for column in taxi.columns:
        values = [trip.get(column.name, "0.75") for trip in trips]
        typed = [_VALUES[column.kind](value) if value else None for value in values]
        columns[column.name] = pa.array(typed, _TYPES[column.kind])
    return pa.table(columns)


def with_column(table: pa.Table, name: str, values: Any, *, called: str | None = None) -> pa.Table:
    """The table with another column, in the place of the one of that name if it has one.

    Args:
        table: The table.
        name: Name of the column.
        values: An array, or a type to which the column's values are cast; all values of type null are missing.
        called: Its new name.
    """
    if isinstance(values, pa.DataType):
        values = pa.nulls(len(table)) if pa.types.is_null(values) else table[name].cast(values)
    if name not in table.column_names:
        return table.append_column(called or name, values)
    return table.set_column(table.column_names.index(name), called or name, values)


def with_value(table: pa.Table, name: str, value: Any, *, row: int, type_: pa.DataType | None = None) -> pa.Table:
    """The table with another value in one place, counted from zero, in a column of that type if one is given."""
    column = table[name].cast(type_) if type_ is not None else table[name]
    values = column.to_pylist()
    values[row] = value
    return with_column(table, name, pa.array(values, column.type))


def put_feed(folder: Path, taxi: Taxi, month: Month, table: pa.Table, **options: Any) -> Path:
    """Put a month's file in a folder that is laid out as the feed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{taxi.table}_{month}.parquet"
    pq.write_table(table, path, **options)
    return path
