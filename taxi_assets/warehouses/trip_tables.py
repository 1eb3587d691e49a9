"""The columns of monthly and main tables, which are the same in every warehouse, and the errors about such tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from taxi_assets.errors import NoSuchTableError, NothingToRemoveError, OtherRowsError, WarehouseError
from taxi_assets.months import Month
from taxi_assets.sql import identifier
from taxi_assets.taxis import ADDED_COLUMNS, Column, Taxi
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.warehouses.dialect import Dialect

KEY: Final = ("unique_row_id", "file_month")
"""The columns that identify a row of a main table."""


class TableColumn(NamedTuple):
    """A column of a taxi's tables in one warehouse."""

    name: str
    type: str
    description: str


def table_columns(taxi: Taxi, dialect: Dialect) -> Sequence[TableColumn]:
    """The columns that monthly and main tables have, in their order."""
    added = zip(
        ADDED_COLUMNS,
        (dialect.id_type, dialect.column_types["text"], "DATE"),
        (
            "MD5 of the values that identify the trip; the same in every warehouse.",
            "Name of the published file that the trip comes from.",
            "First day of that file's month; the pickup may be outside the month.",
        ),
        strict=True,
    )
    return [
        *(TableColumn(*column) for column in added),
        *(TableColumn(dialect.spelling(c.name), dialect.column_types[c.kind], c.description) for c in taxi.columns),
    ]


def column_names(taxi: Taxi, dialect: Dialect, *, without: Collection[str] = ()) -> Sequence[str]:
    """Names of these columns, without some."""
    return [column.name for column in table_columns(taxi, dialect) if column.name not in without]


def staging_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's table until it is complete."""
    return f"{taxi.month_table(month)}_staging"


def missing_columns(taxi: Taxi, names: Collection[str]) -> Sequence[Column]:
    """The columns that only the feed has and that are missing from a table with columns of these names."""
    there = {name.lower() for name in names}
    return [column for column in taxi.columns if column.only_in_feed and column.name.lower() not in there]


def require_columns(taxi: Taxi, dialect: Dialect, types: Mapping[str, str]) -> None:
    """Make sure that the main table has the taxi's columns with their types.

    Args:
        taxi: The taxi.
        dialect: The warehouse's SQL.
        types: The type of each column of the table, by its name.

    Raises:
        WarehouseError: A column is missing or has another type.
    """
    for column in table_columns(taxi, dialect):
        found = types.get(column.name)
        if found is None or _plain(found) != _plain(column.type):
            what = f"has no column {column.name}" if found is None else f"has the column {column.name} as {found}"
            raise WarehouseError(
                f"The table {taxi.table} {what}, which should be {column.type}: "
                "rename that table, and the next run creates a new one."
            )


def no_such_table(place: str, table: str) -> NoSuchTableError:
    """The error for an asset's table that does not exist yet."""
    return NoSuchTableError(f"{place} has no table {table}: materialize the asset of that table first.")


def month_not_loaded(place: str, warehouse: str, taxi: Taxi, month: Month) -> WarehouseError:
    """The error for a month that has no table yet."""
    return WarehouseError(
        f"{place} has no table {taxi.month_table(month)}: materialize {warehouse}/{taxi.month_asset} for {month} first."
    )


def month_not_merged(place: str, warehouse: str, taxi: Taxi, month: Month) -> NoSuchTableError:
    """The error for a main table that does not exist yet."""
    return NoSuchTableError(
        f"{place} has no table {taxi.table}: materialize {warehouse}/{taxi.table} for {month} first."
    )


def nothing_to_remove(place: str, taxi: Taxi, month: Month) -> NothingToRemoveError:
    """The error for a month that is to be removed and does not exist."""
    return NothingToRemoveError(f"{place} has no {taxi.month_table(month)}: there is nothing to remove.")


def require_meant_rows(place: str, taxi: Taxi, month: Month, *, found: int, meant: int | None) -> None:
    """Make sure that a month which is to be removed is the one that was meant; called with the month's lock.

    Args:
        place: The warehouse, for messages.
        taxi: The taxi.
        month: The month.
        found: How many rows main has of the month.
        meant: How many it had when it was chosen; None if any month is meant.

    Raises:
        OtherRowsError: It has another number of rows.
    """
    if meant is not None and found not in (meant, 0):
        raise OtherRowsError(
            f"{month} of {taxi.table} stays in {place}: it has {found:,} rows, and not the {meant:,} that were to be "
            "removed; to remove it all the same, use the job remove_month."
        )


def months_are_needed(table: str) -> WarehouseError:
    """The error for an asset with a table per month that is to be read without months."""
    return WarehouseError(f"{table} has one table per month: read a partition of it, or a range of partitions.")


def common_select_list(taxi: Taxi) -> str:
    """DuckDB's select list that makes a taxi's rows look the same, whichever warehouse they come from."""
    types = ["VARCHAR", "VARCHAR", "DATE", *(COLUMN_TYPES[column.kind] for column in taxi.columns)]
    names = [identifier(name) for name in (*ADDED_COLUMNS, *(column.name for column in taxi.columns))]
    return ", ".join(f"CAST({name} AS {type_name}) AS {name}" for name, type_name in zip(names, types, strict=True))


def _plain(type_name: str) -> str:
    """A type's name for comparisons, which ignore case and blanks."""
    return type_name.replace(" ", "").upper()
