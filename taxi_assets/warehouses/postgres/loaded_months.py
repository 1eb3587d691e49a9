"""Notes what a month's table was made from, and tells whether it still has exactly these rows.

The note is a part of the comment on the table, so it is written and lost together with the table. That nobody has
changed the rows since is proved by the server's own marks: each row says which transaction wrote it, an update writes
a new row, and a column that is dropped and added again has another number.
"""

from __future__ import annotations

import re
from typing import Final

from psycopg import sql

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.postgres import catalog
from taxi_assets.warehouses.postgres.catalog import Connection

_NOTE: Final = re.compile(
    r", made from (?P<source>\w+) by transaction (?P<transaction>\d+) with columns (?P<columns>\w+),"
)


def note_of_load(connection: Connection, table: str, made_from: str) -> str:
    """The note on a table that this transaction has filled; empty if it has no rows."""
    row = connection.execute(
        sql.SQL("SELECT CAST(xmin AS text) FROM {} LIMIT 1").format(sql.Identifier(table))
    ).fetchone()
    columns = catalog.columns_digest(connection, table)
    return f", made from {made_from} by transaction {row[0]} with columns {columns}" if row else ""


def is_as_loaded(connection: Connection, taxi: Taxi, month: Month, made_from: str, rows: int) -> bool:
    """Whether the month is a partition that was made from the same, with so many rows, and has them unchanged."""
    table = taxi.month_table(month)
    note = _NOTE.search(catalog.comment_on(connection, table))
    if note is None or note["source"] != made_from or note["columns"] != catalog.columns_digest(connection, table):
        return False
    counts = sql.SQL("SELECT count(*), count(*) FILTER (WHERE xmin = CAST({} AS xid)) FROM {}").format(
        sql.Literal(note["transaction"]), sql.Identifier(table)
    )
    return catalog.kind_of(connection, table) == "partition" and connection.execute(counts).fetchone() == (rows, rows)
