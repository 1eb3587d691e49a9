"""From a landed raw file to a typed table with ids, in whatever DuckDB connection is given.

Warehouses share this step: DuckDB keeps the table, others stream it on.
"""

from __future__ import annotations

from typing import Any, Final

import duckdb

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Kind, Taxi
from taxi_assets.transactions import transaction
from taxi_assets.trips.diagnosis import describe_problems, explain_refusal

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


def stage_month(
    connection: duckdb.DuckDBPyConnection,
    taxi: Taxi,
    month: Month,
    landed: LandedFile,
    *,
    table: str,
) -> int:
    """Create ``table`` with one month's typed trips and their ids, and return its number of rows.

    The columns are ``unique_row_id``, ``filename``, ``file_month`` and the taxi's own; every row of the file is
    there exactly once. Memory is bounded by the connection's limit, whatever the month's size.

    The table is there, without its final ids, before this is done: the caller gives it its name afterwards. Doing it
    all in one transaction would make DuckDB write the month twice.

    Raises:
        UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
        duckdb.Error: DuckDB failed for a reason that is not in the file, such as a full disk.
    """
    # DuckDB takes an empty field too many, which shifts the rest of its row, and digits with underscores.
    problems = None if landed.is_plain else describe_problems(landed, taxi)
    if problems:
        raise problems
    statement, values = insert_statement(taxi, month, landed, table=table)
    comment = f"{COMMENT_PREFIX}{taxi.title} trips of {month}, being loaded."
    names = {"taxi": taxi, "table": table, "comment": comment, "column_types": COLUMN_TYPES}
    with transaction(connection):
        connection.execute(render(__package__, "create_month_table.sql", **names))
    try:
        rows = _count(connection.execute(statement, values))
    except duckdb.Error as error:
        raise explain_refusal(landed, taxi, error) from error
    if rows != landed.rows:
        raise UnexpectedContentError(
            f"{landed.path} has {landed.rows:,} rows by its line ends, but {rows:,} could be read: "
            "a quoted field spans lines or the file has changed since it landed, so fetch it again or look at it."
        )
    with transaction(connection):
        connection.execute(render(__package__, "number_repeated_ids.sql", taxi=taxi, table=table))
    return rows


def insert_statement(taxi: Taxi, month: Month, landed: LandedFile, *, table: str) -> tuple[str, dict[str, Any]]:
    """The statement that reads a landed file into ``table``, and its values."""
    statement = render(
        __package__,
        "insert_month.sql",
        taxi=taxi,
        table=table,
        identity=[taxi.column(name) for name in taxi.identity],
        file_columns=[taxi.column(name) for name in landed.header],
        column_types=COLUMN_TYPES,
        reader_types=_READER_TYPES,
        shortest_text=_shortest_text,
        is_unchanged=_is_unchanged,
    )
    return statement, {"path": str(landed.path), "filename": taxi.csv_name(month), "file_month": month.first_day}


def _shortest_text(column: Column) -> str:
    """SQL for the text with which a value enters a trip's id: ``5``, ``0.79``, ``-83.53``."""
    name = identifier(column.name)
    if column.kind != "decimal":
        return name
    whole = f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
    return f"CASE WHEN {name} = trunc({name}) THEN {whole} ELSE rtrim(CAST({name} AS VARCHAR), '0') END"


def _is_unchanged(column: Column) -> str:
    """SQL that tells whether a value's final type holds exactly what the file says; an empty field is unchanged."""
    name = identifier(column.name)
    typed = f"CAST({name} AS {COLUMN_TYPES[column.kind]})"
    if column.kind == "timestamp":
        return f"coalesce(CAST({typed} AS VARCHAR) = {name} AND strlen({name}) = 19, true)"
    return f"CAST({typed} AS DOUBLE) IS NOT DISTINCT FROM {name}"


def _count(result: duckdb.DuckDBPyConnection) -> int:
    ((rows,),) = result.fetchall()
    return int(rows)
