"""Columns that a taxi's definition has got since its tables were made: added to them without loading anything again."""

from __future__ import annotations

import duckdb

from taxi_assets.months import Month
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.transactions import transaction
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.warehouses.duckdb.catalog import comment, drop_own, kind_of, require_own_table
from taxi_assets.warehouses.duckdb.columns import ID_TYPE
from taxi_assets.warehouses.kind import table_columns


def add_new_columns(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> None:
    """Add those columns that may be empty to the main table, to months that are not merged yet, and to months' views.

    Trips that are there have no value in them. Where nothing is new this reads the catalog and no more.

    Raises:
        WarehouseError: A table with such a name is somebody else's.
    """
    new = {name: columns for name, columns in _lacking_columns(connection, taxi).items() if columns}
    if not new:
        return
    with transaction(connection):
        # Main comes before its views, which have longer names.
        for table in sorted(new, key=len):
            require_own_table(connection, table)
            if kind_of(connection, table) == "VIEW":
                month = Month.parse(table.removeprefix(f"{taxi.table}_").replace("_", "-"))
                drop_own(connection, table)
                create_month_view(connection, taxi, month)
            else:
                for column in new[table]:
                    _add_column(connection, table, column)


def create_month_view(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> None:
    """Make the month's name a view of the main table."""
    view = taxi.month_table(month)
    columns = [name for name, _, _ in table_columns(taxi, ID_TYPE, COLUMN_TYPES)]
    connection.execute(
        render(
            __package__, "create_month_view.sql", main=taxi.table, month_table=view, month=month, all_columns=columns
        )
    )
    comment(connection, "VIEW", view, f"{taxi.title} trips of {month}, a part of {taxi.table}.")


def _lacking_columns(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> dict[str, list[Column]]:
    tables = connection.execute(
        """
        SELECT "table_name", list("column_name")
        FROM duckdb_columns()
        WHERE "schema_name" = current_schema()
            AND ("table_name" = $main OR regexp_full_match("table_name", $main || '_\\d{4}_\\d\\d'))
        GROUP BY ALL
        """,
        {"main": taxi.table},
    ).fetchall()
    optional = [column for column in taxi.columns if column.only_in_feed]
    return {table: [column for column in optional if column.name not in names] for table, names in tables}


def _add_column(connection: duckdb.DuckDBPyConnection, table: str, column: Column) -> None:
    connection.execute(
        f"ALTER TABLE {identifier(table)} ADD COLUMN {identifier(column.name)} {COLUMN_TYPES[column.kind]}"
    )
    comment(connection, "COLUMN", f"{table}.{column.name}", column.description, prefix="")
