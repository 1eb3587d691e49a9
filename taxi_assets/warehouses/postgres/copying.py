"""Rows on their way from DuckDB to PostgreSQL: Arrow batches through ADBC's binary COPY, over several connections."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import adbc_driver_postgresql.dbapi
import duckdb

from taxi_assets.errors import WarehouseError
from taxi_assets.sql import identifier
from taxi_assets.taxis import Taxi

CONNECTIONS: Final = 2
_BATCH_ROWS: Final = 50_000


def copy_trips(
    source: duckdb.DuckDBPyConnection, taxi: Taxi, *, staged: str, rows: int, conninfo: str, schema: str, table: str
) -> None:
    """Copy the staged trips into a table that is there, each connection a part of them, in bounded memory.

    Raises:
        adbc_driver_manager.Error: The server refused, or a connection broke; some rows may be there.
        WarehouseError: Another number of rows arrived than was staged.
    """
    part = -(-rows // CONNECTIONS)
    # The last part has no end, since ids that were given anew may have moved their rows behind all others.
    bounds = [(first, first + part if first + part < rows else None) for first in range(0, rows, part)]
    with ThreadPoolExecutor(len(bounds), thread_name_prefix="copy") as pool:
        parts = [
            pool.submit(_copy_part, source.cursor(), _query(taxi, staged, first, end), conninfo, schema, table)
            for first, end in bounds
        ]
        copied = sum(finished.result() for finished in parts)
    if copied != rows:
        raise WarehouseError(
            f"{copied:,} of {rows:,} rows arrived in {table}: nothing of them was kept, so run again, and report it if "
            "it stays so."
        )


def _copy_part(source: duckdb.DuckDBPyConnection, query: str, conninfo: str, schema: str, table: str) -> int:
    with (
        source,
        adbc_driver_postgresql.dbapi.connect(conninfo) as connection,
        connection.cursor() as cursor,
    ):
        reader = source.sql(query).to_arrow_reader(_BATCH_ROWS)
        copied: int = cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema)
        connection.commit()
        return copied


def _query(taxi: Taxi, staged: str, first: int, end: int | None) -> str:
    """The trips of a part, named and typed as PostgreSQL has them; a uuid travels as its sixteen bytes."""
    columns = ["filename", "file_month", *taxi.header]
    named: Sequence[str] = [f"{identifier(name)} AS {identifier(name.lower())}" for name in columns]
    before_end = "" if end is None else f' AND "rowid" < {end}'
    return (
        f'SELECT unhex("unique_row_id") AS "unique_row_id", {", ".join(named)} '
        f'FROM {identifier(staged)} WHERE "rowid" >= {first}{before_end}'
    )
