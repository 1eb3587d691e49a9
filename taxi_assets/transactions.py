"""Transactions in DuckDB."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the statements inside, or none of them."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # After a fatal error DuckDB has ended the transaction itself, and asking again would hide the cause.
        try:
            connection.rollback()
        except duckdb.Error:
            logging.getLogger(__name__).debug("no transaction was left to roll back", exc_info=True)
        raise
