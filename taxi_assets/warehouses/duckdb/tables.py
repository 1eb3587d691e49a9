"""Tables as assets read and write them: by months where there are months, whole where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses.duckdb.catalog import comment, drop_own, kind_of, refuse_foreign_table, single_row

_INCOMING = "incoming_rows"


def read_table(
    connection: duckdb.DuckDBPyConnection, table: str, months: Sequence[Month] | None
) -> duckdb.DuckDBPyRelation:
    """A lazy relation over a table or those months of it; ``<taxi>_tripdata_month`` stands for monthly tables.

    Raises:
        WarehouseError: There is no such table, or monthly tables are asked for without months.
    """
    taxi = next((taxi for taxi in all_taxis().values() if taxi.month_asset == table), None)
    if taxi is None:
        relation = _table(connection, table)
        return relation if months is None else relation.filter(_is_in(months))
    if not months:
        raise WarehouseError(f"{table} has one table per month: ask for a partition or a range of them.")
    parts = [_table(connection, taxi.month_table(month)) for month in months]
    return reduce(lambda left, right: left.union(right), parts)


def write_table(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Any, months: Sequence[Month] | None, description: str
) -> int:
    """Replace a table, or those months of it, with the rows, and return their number.

    Raises:
        WarehouseError: The rows are no table, their months can't be told, or the table is not ours.
    """
    connection.register(_INCOMING, _arrow_or_frame(table, rows))
    if months is None:
        drop_own(connection, table)
        _create(connection, table, description, f"FROM {_INCOMING}")
        return int(single_row(connection.table(identifier(table)).count("*"))[0])
    incoming = _with_file_month(connection, table, months)
    if kind_of(connection, table) is None:
        _create(connection, table, description, f"{incoming} LIMIT 0")
    refuse_foreign_table(connection, table)
    connection.execute(
        f'DELETE FROM {identifier(table)} WHERE "file_month" IN (SELECT unnest($months))',
        {"months": [month.first_day for month in months]},
    )
    return int(single_row(connection.execute(f"INSERT INTO {identifier(table)} BY NAME {incoming}"))[0])


def _arrow_or_frame(table: str, rows: Any) -> pd.DataFrame | pa.Table | pa.RecordBatchReader:
    if isinstance(rows, duckdb.DuckDBPyRelation):
        # A relation belongs to the connection that it was read from, and moves to another one as a stream.
        return rows.to_arrow_reader()
    if isinstance(rows, pd.DataFrame | pa.Table | pa.RecordBatchReader):
        return rows
    raise WarehouseError(
        f"{table} can't be made from a {type(rows).__name__}: "
        "return a pandas DataFrame, an Arrow table or reader, or a DuckDB relation."
    )


def _with_file_month(connection: duckdb.DuckDBPyConnection, table: str, months: Sequence[Month]) -> str:
    """The query for the incoming rows with the column by which their months are told."""
    if "file_month" in connection.table(_INCOMING).columns:
        return f"FROM {_INCOMING}"
    if len(months) > 1:
        raise WarehouseError(
            f"The rows for {table} don't say which of the {len(months)} months they belong to: "
            "give them a column file_month, or write one month at a time."
        )
    return f'SELECT CAST({literal(str(months[0].first_day))} AS DATE) AS "file_month", * FROM {_INCOMING}'


def _create(connection: duckdb.DuckDBPyConnection, table: str, description: str, query: str) -> None:
    connection.execute(f"CREATE TABLE {identifier(table)} AS {query}")
    comment(connection, "TABLE", table, description)


def _table(connection: duckdb.DuckDBPyConnection, table: str) -> duckdb.DuckDBPyRelation:
    if kind_of(connection, table) is None:
        raise WarehouseError(f"The warehouse has no table {table}: materialize the asset that makes it first.")
    return connection.table(identifier(table))


def _is_in(months: Sequence[Month]) -> duckdb.Expression:
    days = [duckdb.ConstantExpression(month.first_day) for month in months]
    return duckdb.ColumnExpression("file_month").isin(*days)
