"""Reads a landed raw file in any DuckDB connection: typed strictly, each trip with its id.

Warehouses share this step: DuckDB keeps the rows in a table, PostgreSQL has them streamed on.
"""

from __future__ import annotations

from typing import Any, Final

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Kind, Taxi
from taxi_assets.trips.diagnosis import describe_problems

COLUMN_TYPES: Final[dict[Kind, str]] = {
    "integer": "INTEGER",
    "decimal": "DECIMAL(14, 4)",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
}
"""DuckDB's type of each kind of column. Fourteen digits is what a DOUBLE, through which numbers are read, keeps."""

_READER_TYPES: Final[dict[Kind, str]] = {
    "integer": "DOUBLE",
    "decimal": "DOUBLE",
    "timestamp": "VARCHAR",
    "text": "VARCHAR",
}


def insert_statement(taxi: Taxi, month: Month, landed: LandedFile, *, table: str) -> tuple[str, dict[str, Any]]:
    """The statement that reads a landed file into a table with ids as text, and its values."""
    values = {"path": str(landed.path), "filename": taxi.csv_name(month), "file_month": month.first_day}
    return render(__package__, "insert_month.sql", table=table, **_reading(taxi, landed, id_function="md5")), values


def select_statement(taxi: Taxi, landed: LandedFile) -> tuple[str, dict[str, Any]]:
    """The statement that reads a landed file with ids as numbers of 16 bytes, which are those of the MD5."""
    statement = render(__package__, "read_month.sql", **_reading(taxi, landed, id_function="md5_number"))
    return statement, {"path": str(landed.path)}


def refuse_uneven_rows(landed: LandedFile, taxi: Taxi) -> None:
    """Make sure that DuckDB reads the file as it is.

    DuckDB takes an empty field too many, which shifts the rest of its row, and digits with underscores.

    Raises:
        UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
    """
    problems = None if landed.is_plain else describe_problems(landed, taxi)
    if problems:
        raise problems


def refuse_missing_rows(landed: LandedFile, rows: int) -> None:
    """Make sure that every row of the file was read.

    Raises:
        UnexpectedContentError: Another number of rows was read than the file has.
    """
    if rows != landed.rows:
        raise UnexpectedContentError(
            f"{landed.path} has {landed.rows:,} rows by its line ends, but {rows:,} could be read: "
            "a quoted field spans lines or the file has changed since it landed, so fetch it again or look at it."
        )


def _reading(taxi: Taxi, landed: LandedFile, *, id_function: str) -> dict[str, Any]:
    """What ``read_month.sql`` is rendered with."""
    return {
        "taxi": taxi,
        "identity": [taxi.column(name) for name in taxi.identity],
        "file_columns": [taxi.column(name) for name in landed.header],
        "column_types": COLUMN_TYPES,
        "reader_types": _READER_TYPES,
        "id_function": id_function,
        "id_text": _id_text,
        "as_written": _as_written,
        "is_unchanged": _is_unchanged,
    }


def _id_text(column: Column) -> str:
    """SQL for the text with which a value enters a trip's id: ``5``, ``0.79``, ``-83.53``, a timestamp as written."""
    name = identifier(column.name)
    match column.kind:
        case "decimal":
            whole = f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
            return f"CASE WHEN {name} = trunc({name}) THEN {whole} ELSE rtrim(CAST({name} AS VARCHAR), '0') END"
        case "timestamp":
            return _as_written(column)
        case "integer" | "text":
            return name


def _as_written(column: Column) -> str:
    """SQL's name for the text of a value that has a type by now."""
    return identifier(f"{column.name} as written")


def _is_unchanged(column: Column) -> str:
    """SQL that tells whether a value's final type holds exactly what the file says; an empty field is unchanged."""
    name = identifier(column.name)
    typed = f"CAST({name} AS {COLUMN_TYPES[column.kind]})"
    if column.kind == "timestamp":
        return f"coalesce(CAST({typed} AS VARCHAR) = {name} AND strlen({name}) = 19, true)"
    return f"CAST({typed} AS DOUBLE) IS NOT DISTINCT FROM {name}"
