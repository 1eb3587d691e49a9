"""Notes what a merged month was made from and what it contains, and tells whether that still holds.

The note is the last part of the comment on the month's view, so it is written and lost together with the month.
"""

from __future__ import annotations

import re
from typing import Final

import duckdb

from taxi_assets.months import Month
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.duckdb.catalog import comment_on, kind_of, single_row
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.trip_tables import column_names

_MADE_FROM: Final = re.compile(r"; made from ([0-9a-f]+)(?:, content (\S+))?\.$")


def note_of_load(made_from: str) -> str:
    """The note on a month that is not merged yet."""
    return f"; made from {made_from}."


def note_of_merge(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> str:
    """The note on a month that was just merged from the monthly table."""
    found = _MADE_FROM.search(comment_on(connection, taxi.month_table(month)))
    return f"; made from {found[1]}, content {_content(connection, taxi, month)}." if found else "."


def is_as_loaded(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month, made_from: str) -> bool:
    """Whether the month is merged, was made from the same, and the main table still has exactly these rows of it."""
    if kind_of(connection, taxi.month_table(month)) != "VIEW":
        return False
    found = _MADE_FROM.search(comment_on(connection, taxi.month_table(month)))
    return found is not None and found.groups() == (made_from, _content(connection, taxi, month))


def _content(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> str:
    """A fingerprint of the month's rows in the main table: the sum of hashes over all values of a row."""
    names = ", ".join(map(identifier, column_names(taxi, DIALECT)))
    day = literal(str(month.first_day))
    statement = f'SELECT count(*), sum(hash({names})) FROM {identifier(taxi.table)} WHERE "file_month" = {day}'
    rows, hashes = single_row(connection.execute(statement))
    return f"{rows}/{hashes or 0}"
