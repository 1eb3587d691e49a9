"""Reads and writes whole tables, or some months of a table, for assets, through Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import adbc_driver_postgresql.dbapi
import duckdb
import pyarrow as pa

from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.postgres.dialect import DIALECT
from taxi_assets.warehouses.rows import FetchedRows, arrow_stream
from taxi_assets.warehouses.trip_tables import common_select_list, table_columns

_BATCH_ROWS: Final = 50_000


def read_query(conninfo: str, schema: str, query: str, shape: str) -> duckdb.DuckDBPyRelation:
    """A DuckDB relation over the rows of a query, which are fetched when they are needed, and again for each reading.

    Args:
        conninfo: The connection string for libpq.
        schema: Schema in which tables are looked up.
        query: The query for the server.
        shape: The select list that gives the rows their names and types in DuckDB.

    Raises:
        adbc_driver_manager.Error: The server refused the query.
    """
    with _reader(conninfo, schema, f"SELECT * FROM ({query}) AS rows LIMIT 0") as nothing:
        columns = nothing.schema

    def batches() -> Iterator[pa.RecordBatch]:
        # Each reading has a connection of its own for as long as it lasts. So a relation that is not read to its end
        # does not keep a table from being replaced.
        with _reader(conninfo, schema, query) as reader:
            yield from reader

    return duckdb.connect().from_arrow(FetchedRows(columns, batches)).select(shape)


@contextmanager
def _reader(conninfo: str, schema: str, query: str) -> Iterator[pa.RecordBatchReader]:
    with adbc_driver_postgresql.dbapi.connect(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {identifier(schema)}")
        cursor.execute(query)
        yield cursor.fetch_record_batch()


def trips_query(taxi: Taxi, tables: Sequence[str], months: Sequence[Month] | None) -> tuple[str, str]:
    """The query for trips, and the select list that makes them look the same as from every warehouse.

    Numeric values and ids are sent as text, without loss.
    """
    sent = []
    for column in table_columns(taxi, DIALECT):
        name = identifier(column.name)
        if column.name == "unique_row_id":
            sent.append(f"replace(CAST({name} AS text), '-', '') AS {name}")
        elif column.type == DIALECT.column_types["decimal"]:
            sent.append(f"CAST({name} AS text) AS {name}")
        else:
            sent.append(name)
    parts = [f"SELECT {', '.join(sent)} FROM {identifier(table)}{_where(months)}" for table in tables]
    return " UNION ALL ".join(parts), common_select_list(taxi)


def table_query(table: str, months: Sequence[Month] | None) -> tuple[str, str]:
    """The same for any other table, whose rows are not changed."""
    return f"SELECT * FROM {identifier(table)}{_where(months)}", "*"


def write_rows(
    conninfo: str,
    schema: str,
    table: str,
    *,
    rows: Any,
    months: Sequence[Month] | None,
    description: str,
    exists: bool,
    lock_wait_seconds: float,
) -> int:
    """Replace a table, or those months of it, with the rows in one transaction, and return their number.

    Each statement waits up to ``lock_wait_seconds`` for other sessions that use the table.

    Raises:
        WarehouseError: The rows are not a table, or their months are not known.
        adbc_driver_manager.Error: The server refused the rows.
    """
    stream = arrow_stream(table, rows, months)
    quoted = f"{identifier(schema)}.{identifier(table)}"
    with adbc_driver_postgresql.dbapi.connect(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{lock_wait_seconds:.3f}s'")
        if exists and months is None and _columns_of(cursor, quoted) != _names_and_types(stream.schema):
            cursor.execute(f"DROP TABLE {quoted}")
            exists = False
        if exists:
            # If the table is kept, its views and grants stay, and readers do not have to wait.
            cursor.execute(f"DELETE FROM {quoted}{_where(months)}")
        written: int = cursor.adbc_ingest(table, stream, mode="append" if exists else "create", db_schema_name=schema)
        if not exists:
            cursor.execute(f"COMMENT ON TABLE {quoted} IS {literal(COMMENT_PREFIX + description)}")
        connection.commit()
    return written


def _columns_of(cursor: adbc_driver_postgresql.dbapi.Cursor, quoted: str) -> list[tuple[str, pa.DataType]]:
    cursor.execute(f"SELECT * FROM {quoted} LIMIT 0")
    return _names_and_types(cursor.fetch_arrow_table().schema)


def _names_and_types(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema]


def _where(months: Sequence[Month] | None) -> str:
    if months is None:
        return ""
    days = ", ".join(f"DATE {literal(str(month.first_day))}" for month in months)
    return f' WHERE "file_month" IN ({days})'
