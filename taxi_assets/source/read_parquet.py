"""Reads every page of a Parquet file and prints as JSON what the file holds, or why it can't be read.

A process of its own runs this file by its path, because a damaged footer can end the process that reads it. So it
imports nothing of the project.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

_MOST_MEMORY: Final = 2 * 1024**3
_ROWS_AT_ONCE: Final = 65_536
_BUFFER_BYTES: Final = 1024 * 1024
_UNITS: Final = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}


class DamageError(Exception):
    """The file can't be read; the text goes on after the file's name."""


def read(path: Path) -> dict[str, Any]:
    """What the file holds, when all of it was read: the number of rows, and name, type and values of each column.

    Raises:
        DamageError: A page, the footer or a statistic in it is damaged.
    """
    try:
        parquet = pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, buffer_size=_BUFFER_BYTES, memory_map=False
        )
        schema = parquet.schema_arrow
        columns = [{"name": field.name, "type": str(field.type), "holds": _holds(field.type)} for field in schema]
    except Exception as error:
        raise DamageError(f"has no Parquet footer that can be read ({_cause(error)})") from error
    rows, values = 0, [0] * len(columns)
    with parquet:
        try:
            for number in range(parquet.num_row_groups):
                group = _Group(schema)
                for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[number], use_threads=False):
                    _validate(batch, first_row=rows + group.rows + 1)
                    group.add(batch)
                group.compare(parquet, number)
                rows += group.rows
                values = [before + group.rows - nulls for before, nulls in zip(values, group.nulls, strict=True)]
        except DamageError:
            raise
        except Exception as error:
            raise DamageError(f"has pages that can't be read ({_cause(error)})") from error
        if rows != parquet.metadata.num_rows:
            raise DamageError(
                f"is damaged: it has {rows:,} rows in its pages but {parquet.metadata.num_rows:,} in its footer"
            )
    return {
        "rows": rows,
        "columns": [{**column, "values": count} for column, count in zip(columns, values, strict=True)],
    }


class _Group:
    """What the pages of one row group hold, to be compared with what the footer says of them.

    Attributes:
        rows: Rows read so far.
        nulls: Of each column, how many of them have no value.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self.nulls = [0] * len(schema)
        self._schema = schema
        self._extremes: dict[int, tuple[Any, Any]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows of the group."""
        self.rows += len(batch)
        for place, column in enumerate(batch.columns):
            self.nulls[place] += column.null_count
            if not _is_comparable(column.type):
                continue
            extremes = pc.min_max(column.cast(pa.int64()) if types.is_timestamp(column.type) else column).as_py()
            found = [*self._extremes.get(place, ()), extremes["min"], extremes["max"]]
            known = [value for value in found if value is not None]
            if known:
                self._extremes[place] = (min(known), max(known))

    def compare(self, parquet: pq.ParquetFile, number: int) -> None:
        """Compare with the footer: a changed value may differ from a number of nulls, a minimum or a maximum there.

        Raises:
            DamageError: It differs.
        """
        for place, chunk in _flat_columns(self._schema, parquet, number):
            name = self._schema.field(place).name
            statistics = chunk.statistics if chunk.is_stats_set else None
            if statistics is None:
                continue
            if statistics.has_null_count and statistics.null_count != self.nulls[place]:
                raise DamageError(
                    f"has another number of values of {name} in row group {number + 1} than its footer states"
                )
            stated = _extremes(statistics, self._schema.field(place).type)
            found = self._extremes.get(place)
            if stated is not None and found is not None and found != stated and not any(map(_is_nan, found)):
                raise DamageError(
                    f"has another least or greatest value of {name} in row group {number + 1} than its footer states"
                )


def _validate(batch: pa.RecordBatch, first_row: int) -> None:
    """Check every value; Arrow reports text that is not UTF-8 without its row and the name of its column.

    Raises:
        DamageError: A text is not UTF-8.
        pa.ArrowInvalid: Another value can't be right.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if not (types.is_string(field.type) or types.is_large_string(field.type)):
                continue
            for number, value in enumerate(column.cast(pa.large_binary()).to_pylist(), start=first_row):
                if value is not None and not _is_utf8(value):
                    shown = repr(value[:40])[2:-1]
                    raise DamageError(
                        f"has text that is not UTF-8: row {number:,}, column {field.name}: “{shown}”"
                    ) from error
        raise


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _flat_columns(
    schema: pa.Schema, parquet: pq.ParquetFile, number: int
) -> Iterator[tuple[int, pq.ColumnChunkMetaData]]:
    """Place and chunk of each column of a row group that is not nested; nothing where the two can't be matched."""
    leaves = [_leaves(field.type) for field in schema]
    group = parquet.metadata.row_group(number)
    if sum(leaves) != group.num_columns:
        return
    for place, count in enumerate(leaves):
        if count == 1 and not types.is_nested(schema.field(place).type):
            yield place, group.column(sum(leaves[:place]))


def _leaves(type_: pa.DataType) -> int:
    """How many columns of a Parquet file hold a column of that type."""
    if not types.is_nested(type_):
        return 1
    return sum(_leaves(type_.field(place).type) for place in range(type_.num_fields))


def _is_comparable(type_: pa.DataType) -> bool:
    # Arrow can't compare floating-point numbers of 16 bits.
    is_float = types.is_floating(type_) and not types.is_float16(type_)
    return bool(types.is_signed_integer(type_) or is_float or types.is_timestamp(type_))


def _extremes(statistics: pq.Statistics, type_: pa.DataType) -> tuple[Any, Any] | None:
    """Minimum and maximum as the footer states them, if they are of the kind that was read."""
    if not statistics.has_min_max or not _is_comparable(type_):
        return None
    if types.is_timestamp(type_):
        with suppress(KeyError, ValueError):
            unit = json.loads(statistics.logical_type.to_json())["timeUnit"]
            if statistics.physical_type == "INT64" and _UNITS[unit] == type_.unit:
                return statistics.min_raw, statistics.max_raw
        return None
    return statistics.min_raw, statistics.max_raw


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _holds(type_: pa.DataType) -> str:
    """What kind of values a column of that type holds."""
    if types.is_null(type_):
        return "nothing"
    if types.is_dictionary(type_):
        type_ = type_.value_type
    # Readers take a decimal of more than 38 digits for a double.
    is_exact = types.is_decimal(type_) and not types.is_decimal256(type_)
    if types.is_integer(type_) or types.is_floating(type_) or is_exact:
        return "number"
    if types.is_timestamp(type_) and type_.tz is None:
        return "timestamp"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_):
        return "text"
    return "other"


def _cause(error: Exception) -> str:
    """The reader's own words on one line, or the error's name if it has none."""
    if isinstance(error, MemoryError):
        return f"it needs more than {_MOST_MEMORY // 1024**2:,} MiB of memory"
    if isinstance(error, UnicodeError):
        return "a name is not UTF-8"
    return " ".join(str(error).split())[:200].rstrip(".:") or type(error).__name__


def _limit_resources() -> None:
    """Keep a damaged file from using up the memory, and an abort from writing a core file."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not everywhere

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))


def main(path: Path) -> Mapping[str, Any]:
    """What is printed of a file."""
    _limit_resources()
    try:
        return read(path)
    except DamageError as damage:
        return {"damage": str(damage)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
