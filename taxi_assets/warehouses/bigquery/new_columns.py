"""Adds new columns of a taxi's definition to tables that were created before, without loading any month again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from google.api_core.exceptions import PreconditionFailed
from google.cloud import bigquery

from taxi_assets.months import Month
from taxi_assets.taxis import Column, Taxi
from taxi_assets.warehouses.bigquery.catalog import find_own
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.statements import loaded_table
from taxi_assets.warehouses.trip_tables import missing_columns


class MakeView(Protocol):
    """Replaces the view of a month, as one of the main table or of the month's loaded table."""

    def __call__(self, month: Month, *, is_merged: bool) -> object: ...  # noqa: D102


def add_new_columns(
    client: bigquery.Client, dataset: str, taxi: Taxi, month: Month | None, make_view: MakeView
) -> None:
    """Add the new columns that may be empty to the main table, and to the loaded tables and the views of its months.

    They are null for the trips that are loaded already. If there are no new columns, at most two tables are looked up.

    Args:
        client: The client.
        dataset: Project and dataset.
        taxi: The taxi.
        month: The month that is used, whose own view is looked up too; None for no month.
        make_view: Replaces the view of a month.

    Raises:
        WarehouseError: A table with such a name belongs to another program.
    """
    main = find_own(client, dataset, taxi.table)
    is_new = main is not None and bool(_missing_columns(taxi, main))
    if main is not None and is_new:
        _add_columns(client, main, taxi)
    months = _months_there(client, dataset, taxi) if is_new else [month] if month is not None else []
    for there in months:
        view = find_own(client, dataset, taxi.month_table(there))
        if view is None or view.table_type != "VIEW" or not _missing_columns(taxi, view):
            continue
        loaded = find_own(client, dataset, loaded_table(taxi, there))
        if loaded is not None:
            _add_columns(client, loaded, taxi)
        make_view(there, is_merged=loaded is None)


def _missing_columns(taxi: Taxi, table: bigquery.Table) -> Sequence[Column]:
    return missing_columns(taxi, [field.name for field in table.schema])


def _add_columns(client: bigquery.Client, table: bigquery.Table, taxi: Taxi) -> None:
    while missing := _missing_columns(taxi, table):
        new = [
            bigquery.SchemaField(column.name, DIALECT.column_types[column.kind], description=column.description)
            for column in missing
        ]
        table.schema = [*table.schema, *new]
        # Another run may have changed the table since it was looked up, perhaps in the same way.
        with suppress(PreconditionFailed):
            client.update_table(table, ["schema"])
        table = client.get_table(table.reference)


def _months_there(client: bigquery.Client, dataset: str, taxi: Taxi) -> Sequence[Month]:
    months = (taxi.month_of_table(table.table_id) for table in client.list_tables(dataset))
    return [month for month in months if month is not None]
