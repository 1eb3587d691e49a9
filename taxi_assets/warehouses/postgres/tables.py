"""Tables as assets read and write them, through Arrow: by months where there are months, whole where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import adbc_driver_postgresql.dbapi
import duckdb
import pyarrow as pa

from taxi_assets.months import Month
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import Taxi
from taxi_assets.trips.staging import COLUMN_TYPES
from taxi_assets.warehouses.base import table_columns
from taxi_assets.warehouses.postgres.catalog import COMMENT_PREFIX
from taxi_assets.warehouses.rows import arrow_stream

_BATCH_ROWS: Final = 50_000


def read_query(conninfo: str, schema: str, query: str, shape: str) -> duckdb.DuckDBPyRelation:
    """A DuckDB relation over the rows of a query, which are fetched as they are needed.

    Args:
        conninfo: The connection as libpq reads it.
        schema: Schema that unqualified tables are looked for in.
        query: What the server runs.
        shape: The select list that gives the rows their names and types in DuckDB.
    """
    connection = adbc_driver_postgresql.dbapi.connect(conninfo)
    cursor = connection.cursor()
    cursor.execute(f"SET search_path TO {identifier(schema)}")
    cursor.execute(query)
    rows = duckdb.connect().from_arrow(_closing(cursor.fetch_record_batch(), connection))
    return rows.select(shape)


def trips_query(taxi: Taxi, tables: Sequence[str], months: Sequence[Month] | None) -> tuple[str, str]:
    """What the server runs for trips, and the select list that makes them look as they do in every warehouse.

    Numeric values travel as text, which loses nothing, and ids as text too.
    """
    columns = table_columns(taxi, "VARCHAR", COLUMN_TYPES)
    sent = []
    for name, kind, _ in columns:
        folded = identifier(name.lower())
        if name == "unique_row_id":
            sent.append(f"replace(CAST({folded} AS text), '-', '') AS {identifier(name)}")
        elif kind.startswith("DECIMAL"):
            sent.append(f"CAST({folded} AS text) AS {identifier(name)}")
        else:
            sent.append(f"{folded} AS {identifier(name)}")
    parts = [f"SELECT {', '.join(sent)} FROM {identifier(table)}{_where(months)}" for table in tables]
    shape = ", ".join(f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}" for name, kind, _ in columns)
    return " UNION ALL ".join(parts), shape


def table_query(table: str, months: Sequence[Month] | None) -> tuple[str, str]:
    """The same for any other table, whose rows are taken as they are."""
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
) -> int:
    """Replace a table, or those months of it, with the rows in one transaction, and return their number.

    Raises:
        WarehouseError: The rows are no table, or their months can't be told.
        adbc_driver_manager.Error: The server refused.
    """
    stream = arrow_stream(table, rows, months)
    quoted = f"{identifier(schema)}.{identifier(table)}"
    with adbc_driver_postgresql.dbapi.connect(conninfo) as connection, connection.cursor() as cursor:
        if exists and months is None:
            cursor.execute(f"DROP TABLE {quoted}")
            exists = False
        if exists:
            cursor.execute(f"DELETE FROM {quoted}{_where(months)}")
        written: int = cursor.adbc_ingest(table, stream, mode="append" if exists else "create", db_schema_name=schema)
        if not exists:
            cursor.execute(f"COMMENT ON TABLE {quoted} IS {literal(COMMENT_PREFIX + description)}")
        connection.commit()
    return written


def _where(months: Sequence[Month] | None) -> str:
    if months is None:
        return ""
    days = ", ".join(f"DATE {literal(str(month.first_day))}" for month in months)
    return f' WHERE "file_month" IN ({days})'


def _closing(reader: pa.RecordBatchReader, connection: Any) -> pa.RecordBatchReader:
    """The same batches; the connection lives until the last one was read or the reader is gone."""

    def batches() -> Any:
        with connection:
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
