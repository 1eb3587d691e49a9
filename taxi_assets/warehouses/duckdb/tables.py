"""Reads and writes whole tables, or some months of a table, for assets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import duckdb

from taxi_assets.months import Month
from taxi_assets.sql import identifier
from taxi_assets.taxis import taxi_of_month_asset
from taxi_assets.warehouses.duckdb.catalog import comment, drop_own, kind_of, require_own_table, single_row
from taxi_assets.warehouses.rows import arrow_stream
from taxi_assets.warehouses.trip_tables import months_are_needed, no_such_table

_INCOMING = "incoming_rows"


def read_table(
    connection: duckdb.DuckDBPyConnection, table: str, months: Sequence[Month] | None
) -> duckdb.DuckDBPyRelation:
    """A lazy relation over a table or those months of it; ``<taxi>_tripdata_month`` stands for monthly tables.

    Raises:
        WarehouseError: There is no such table, or monthly tables are asked for without months.
    """
    taxi = taxi_of_month_asset(table)
    if taxi is None:
        relation = _table(connection, table)
        return relation if months is None else relation.filter(_is_in(months))
    if not months:
        raise months_are_needed(table)
    parts = [_table(connection, taxi.month_table(month)) for month in months]
    return reduce(lambda left, right: left.union(right), parts)


def write_table(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Any, months: Sequence[Month] | None, description: str
) -> int:
    """Replace a table, or those months of it, with the rows, and return their number.

    Raises:
        WarehouseError: The rows are not a table, their months are not known, or another program has a table of that
            name.
    """
    stream = arrow_stream(table, rows, months)
    if months is None:
        drop_own(connection, table)
    if kind_of(connection, table) is None:
        # Created from the names and types alone, because a stream can be read only once.
        connection.register(_INCOMING, stream.schema.empty_table())
        connection.execute(f"CREATE TABLE {identifier(table)} AS FROM {_INCOMING}")
        comment(connection, "TABLE", table, description)
    require_own_table(connection, table)
    if months:
        connection.execute(
            f'DELETE FROM {identifier(table)} WHERE "file_month" IN (SELECT unnest($months))',
            {"months": [month.first_day for month in months]},
        )
    connection.register(_INCOMING, stream)
    return int(single_row(connection.execute(f"INSERT INTO {identifier(table)} BY NAME FROM {_INCOMING}"))[0])


def _table(connection: duckdb.DuckDBPyConnection, table: str) -> duckdb.DuckDBPyRelation:
    if kind_of(connection, table) is None:
        raise no_such_table("The warehouse", table)
    return connection.table(identifier(table))


def _is_in(months: Sequence[Month]) -> duckdb.Expression:
    days = [duckdb.ConstantExpression(month.first_day) for month in months]
    return duckdb.ColumnExpression("file_month").isin(*days)
