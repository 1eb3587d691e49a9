"""Adds new columns of a taxi's definition to tables that were created before, without loading any month again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from psycopg import sql

from taxi_assets.taxis import Column, Taxi
from taxi_assets.warehouses.postgres import catalog
from taxi_assets.warehouses.postgres.catalog import Connection
from taxi_assets.warehouses.postgres.dialect import DIALECT
from taxi_assets.warehouses.postgres.locks import exclusive, in_short_transaction
from taxi_assets.warehouses.trip_tables import missing_columns


def add_new_columns(
    connection: Connection, schema: str, taxi: Taxi, table: str, *, wait_seconds: float, log: logging.Logger
) -> None:
    """Add the new columns that may be empty to the main table, and to a month that is not merged yet.

    They are null for the trips that are loaded already. Partitions get them with the main table.

    Args:
        connection: The connection.
        schema: Schema of the tables.
        taxi: The taxi.
        table: The month's table, or the main table.
        wait_seconds: Seconds to wait for other sessions that use the tables.
        log: The log for messages about waiting.

    Raises:
        WarehouseError: A table with such a name belongs to another program.
        WarehouseBusyError: Other sessions used the table for longer than ``wait_seconds``.
    """
    for name in dict.fromkeys([taxi.table, table]):
        if catalog.kind_of(connection, name) and _missing_columns(connection, taxi, name):
            with exclusive(connection, schema, taxi.table, wait_seconds=wait_seconds, log=log):
                in_short_transaction(
                    connection,
                    name,
                    "ACCESS EXCLUSIVE",
                    statements=partial(_add_columns, connection, taxi, name),
                    wait_seconds=wait_seconds,
                    log=log,
                )


def _missing_columns(connection: Connection, taxi: Taxi, table: str) -> Sequence[Column]:
    return missing_columns(taxi, catalog.column_types(connection, table))


def _add_columns(connection: Connection, taxi: Taxi, table: str) -> None:
    catalog.require_own_table(connection, table)
    for column in _missing_columns(connection, taxi, table):
        name, type_name = DIALECT.spelling(column.name), DIALECT.column_types[column.kind]
        statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} ").format(sql.Identifier(table), sql.Identifier(name))
        connection.execute(statement + sql.SQL(type_name))
        catalog.comment_on_column(connection, table, name, column.description)
