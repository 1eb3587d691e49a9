"""Adds new columns of a taxi's definition to tables that were created before, without loading any month again."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from taxi_assets.months import Month
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.transactions import transaction
from taxi_assets.warehouses.duckdb.catalog import comment, drop_own, kind_of, require_own_table
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.trip_tables import column_names, missing_columns


def add_new_columns(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> None:
    """Add the new columns that may be empty to the main table, to months that are not merged yet, and to views.

    They are null for the trips that are loaded already. If there are no new columns, only the catalog is read.

    Raises:
        WarehouseError: A table with such a name belongs to another program.
    """
    new = {name: columns for name, columns in _missing_columns(connection, taxi).items() if columns}
    if not new:
        return
    with transaction(connection):
        # Main comes before its views, which have longer names.
        for table in sorted(new, key=len):
            require_own_table(connection, table)
            month = taxi.month_of_table(table)
            if month is not None and kind_of(connection, table) == "VIEW":
                drop_own(connection, table)
                create_month_view(connection, taxi, month)
            else:
                for column in new[table]:
                    _add_column(connection, table, column)


def create_month_view(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month, *, note: str = ".") -> None:
    """Create the month's view of the main table, with a note at the end of its comment."""
    view = taxi.month_table(month)
    statement = render(
        __package__,
        "create_month_view.sql",
        main=taxi.table,
        month_table=view,
        all_columns=column_names(taxi, DIALECT),
        first_day=DIALECT.day(month.first_day),
    )
    connection.execute(statement)
    comment(connection, "VIEW", view, f"{taxi.title} trips of {month}, a part of {taxi.table}{note}")


def _missing_columns(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> dict[str, Sequence[Column]]:
    """The columns that are missing from each of the taxi's tables and views, by the name of the table."""
    tables = connection.execute(
        """
        SELECT "table_name", list("column_name")
        FROM duckdb_columns()
        WHERE "schema_name" = current_schema()
        GROUP BY ALL
        """
    ).fetchall()
    return {
        table: missing_columns(taxi, names)
        for table, names in tables
        if table == taxi.table or taxi.month_of_table(table) is not None
    }


def _add_column(connection: duckdb.DuckDBPyConnection, table: str, column: Column) -> None:
    type_name = DIALECT.column_types[column.kind]
    connection.execute(f"ALTER TABLE {identifier(table)} ADD COLUMN {identifier(column.name)} {type_name}")
    comment(connection, "COLUMN", f"{table}.{column.name}", column.description, prefix="")
