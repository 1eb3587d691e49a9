"""From a landed raw file to a typed table with ids, in whatever DuckDB connection is given."""

from __future__ import annotations

from typing import Any

import duckdb

from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import render
from taxi_assets.taxis import Taxi
from taxi_assets.transactions import transaction
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.trips.diagnosis import explain_refusal
from taxi_assets.trips.reading import insert_statement, require_all_rows, require_strict_rows


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
    require_strict_rows(landed, taxi)
    statement, values = insert_statement(taxi, month, landed, table=table)
    comment = f"{COMMENT_PREFIX}{taxi.title} trips of {month}, being loaded."
    names: dict[str, Any] = {"taxi": taxi, "table": table, "comment": comment, "column_types": COLUMN_TYPES}
    with transaction(connection):
        connection.execute(render(__package__, "create_month_table.sql", **names))
    try:
        rows = _count(connection.execute(statement, values))
    except duckdb.Error as error:
        raise explain_refusal(landed, taxi, error) from error
    require_all_rows(landed, rows)
    with transaction(connection):
        connection.execute(render(__package__, "number_repeated_ids.sql", taxi=taxi, table=table))
    return rows


def _count(result: duckdb.DuckDBPyConnection) -> int:
    ((rows,),) = result.fetchall()
    return int(rows)
