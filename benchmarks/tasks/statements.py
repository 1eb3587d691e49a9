"""Changes the statements of a load before they run, or measures the time of each."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import duckdb
from pydantic import PrivateAttr
from typing_extensions import override

from taxi_assets.errors import TaxiAssetsError
from taxi_assets.sql import identifier
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse

_COMMENT_LINES = re.compile(r"\A(?:--.*\n)*")
_WORDS_OF_KIND = 2

_log = logging.getLogger(__name__)


def creating(statement: str, table: str, *, with_ids: bool) -> str:
    """Change a statement that inserts trips into a table so that it creates the table, with ids or without."""
    _, found, query = statement.partition(f"INSERT INTO {identifier(table)}\n")
    if not found:
        raise TaxiAssetsError(f"The statement does not insert into a table {table}.")
    columns = "*" if with_ids else '* EXCLUDE ("unique_row_id")'
    return f"CREATE TABLE {identifier(table)} AS\nSELECT {columns} FROM (\n{query}\n)"


class TimedWarehouse(DuckDBWarehouse):
    """The real warehouse, which also measures how long each of its statements takes."""

    _seconds: dict[str, float] = PrivateAttr(default_factory=dict)
    _opened: int = PrivateAttr(default=0)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by ``<number of the connection> <kind of statement>``, such as ``1 CREATE TABLE``, in their order."""
        return self._seconds

    @override
    def connect(self, log: logging.Logger = _log) -> duckdb.DuckDBPyConnection:
        self._opened += 1
        with self._timed("open"):
            connection = super().connect(log)
        return cast("duckdb.DuckDBPyConnection", _TimedConnection(connection, self._timed))

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            name = f"{self._opened} {kind}"
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start


class _TimedConnection:
    """A connection that measures the time of its statements; everything else is passed to the real connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, timed: Any) -> None:
        self._connection, self._timed = connection, timed

    def execute(self, statement: str, *values: Any) -> duckdb.DuckDBPyConnection:
        words = _COMMENT_LINES.sub("", statement).split()
        with self._timed(" ".join(words[:_WORDS_OF_KIND] if words[0] in {"CREATE", "DROP"} else words[:1])):
            return self._connection.execute(statement, *values)

    def commit(self) -> None:
        with self._timed("commit"):
            self._connection.commit()

    def close(self) -> None:
        with self._timed("close"):
            self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
