"""Reads a landed raw file in any DuckDB connection: typed strictly, each trip with its id.

Warehouses share this step: DuckDB keeps the rows in a table, PostgreSQL has them streamed on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.source.plain import LONGEST_LINE
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.trips.columns import (
    COLUMN_TYPES,
    READER_TYPES,
    TableDefinition,
    as_written,
    file_columns,
    id_text,
    is_unchanged_in_csv,
    is_unchanged_in_parquet,
    text_in_csv,
    text_in_parquet,
)
from taxi_assets.trips.diagnosis import describe_problems

_MOST_PARTS: Final = 4
_ROWS_WORTH_A_PART: Final = 100_000


def insert_statement(taxi: Taxi, month: Month, landed: LandedFile, *, table: str) -> tuple[str, dict[str, Any]]:
    """The statement that reads a landed file into a table with ids as text, and its values."""
    values = {"path": str(landed.path), "filename": landed.filename, "file_month": month.first_day}
    return render(__package__, "insert_month.sql", table=table, **_month(taxi, landed, id_function="md5")), values


def select_statement(taxi: Taxi, landed: LandedFile) -> tuple[str, dict[str, Any]]:
    """The statement that reads a landed file with ids as numbers of 16 bytes, which are those of the MD5."""
    statement = render(__package__, "read_month.sql", **_month(taxi, landed, id_function="md5_number"))
    return statement, {"path": str(landed.path)}


def require_strict_rows(landed: LandedFile, definition: TableDefinition) -> None:
    """Make sure that DuckDB reads the file as it is.

    DuckDB's reader is lenient; :mod:`taxi_assets.source.plain` says in what. A file that is not plain is read line by
    line here, by a reader that is not.

    Raises:
        UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
        DamagedFileError: The file can't be read.
    """
    problems = None if landed.is_plain else describe_problems(landed, definition)
    if problems:
        raise problems


def require_all_rows(landed: LandedFile, rows: int) -> None:
    """Make sure that every row of the file was read.

    Raises:
        UnexpectedContentError: Another number of rows was read than the file has.
    """
    if rows != landed.rows:
        counted, cause = how_rows_are_counted(landed)
        raise UnexpectedContentError(
            f"{landed.path} has {landed.rows:,} rows {counted}, but {rows:,} could be read: "
            f"{cause}the file has changed since it landed, so fetch it again or look at it."
        )


def how_rows_are_counted(landed: LandedFile) -> tuple[str, str]:
    """By what a file's rows were counted, and what else may be the cause where another number is read; for messages."""
    return ("in its footer", "") if landed.is_parquet else ("by its line ends", "a quoted field spans lines or ")


def parquet_parts(landed: LandedFile) -> Sequence[tuple[int, int]]:
    """First row and the one after the last of each part of a Parquet file that is read at the same time as the others.

    Raises:
        OSError: The file can't be read.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - only files of the feed need it

    threads = min(os.cpu_count() or 1, _MOST_PARTS)
    if pq.read_metadata(landed.path).num_row_groups >= threads or landed.rows < _ROWS_WORTH_A_PART:
        return [(0, landed.rows)]
    size = -(-landed.rows // threads)
    return [(first, first + size) for first in range(0, landed.rows, size)]


def _numbers_of_32_bits(landed: LandedFile) -> Sequence[str]:
    """Names of the columns whose numbers have fewer than 64 bits.

    They are read as DOUBLE, because DuckDB makes another DECIMAL of a FLOAT: 1234.5601 of what was 1234.56.

    Raises:
        OSError: The file can't be read.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - only files of the feed need it
    from pyarrow import types  # noqa: PLC0415

    known = {name.lower() for name in landed.header}
    return [
        field.name
        for field in pq.read_schema(landed.path)
        if (types.is_float32(field.type) or types.is_float16(field.type)) and field.name.lower() in known
    ]


def reading(
    definition: TableDefinition, landed: LandedFile, *, written_columns: Sequence[Column] = ()
) -> dict[str, Any]:
    """What ``read_rows.sql`` is rendered with.

    Args:
        definition: What the file is read by.
        landed: The file.
        written_columns: Columns of dates and times whose text is given beside the value.
    """
    return {
        "columns": definition.columns,
        "file_columns": file_columns(definition, landed.header),
        "written_columns": written_columns,
        "file_reader": "read_parquet_file.sql" if landed.is_parquet else "read_csv_file.sql",
        "parts": parquet_parts(landed) if landed.is_parquet else [],
        "widened": _numbers_of_32_bits(landed) if landed.is_parquet else [],
        "is_plain": landed.is_plain,
        "longest_line": LONGEST_LINE,
        "column_types": COLUMN_TYPES,
        "reader_types": READER_TYPES,
        "as_written": as_written,
        "text_as_written": text_in_parquet if landed.is_parquet else text_in_csv,
        "is_unchanged": is_unchanged_in_parquet if landed.is_parquet else is_unchanged_in_csv,
    }


def _month(taxi: Taxi, landed: LandedFile, *, id_function: str) -> dict[str, Any]:
    """What ``read_month.sql`` is rendered with."""
    identity = taxi.identity_columns
    return {
        **reading(taxi, landed, written_columns=[column for column in identity if column.kind == "timestamp"]),
        "taxi": taxi,
        "identity": identity,
        "id_function": id_function,
        "id_text": id_text,
    }
