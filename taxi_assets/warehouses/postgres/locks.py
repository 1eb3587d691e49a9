"""Waiting for others on the server: never for ever, never silently, and never in other readers' way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from taxi_assets.errors import WarehouseBusyError
from taxi_assets.warehouses.postgres.catalog import Connection

_ATTEMPT: Final = "1s"
_PAUSE_SECONDS: Final = 0.2
_SECONDS_BETWEEN_MESSAGES: Final = 10.0


@contextmanager
def exclusive(
    connection: Connection, schema: str, name: str, *, wait_seconds: float, log: logging.Logger
) -> Iterator[None]:
    """Hold the name for the length of the block, as one of all that ask for it; the server ends it with the session.

    The schema is named, not looked up, since it may come into being meanwhile.

    Raises:
        WarehouseBusyError: Another session held it for longer than ``wait_seconds``.
    """
    key = "hashtextextended(current_database() || '.' || %s || '.' || %s, 0)"

    def take() -> bool:
        row = connection.execute(f"SELECT pg_try_advisory_lock({key})", (schema, name)).fetchone()
        return bool(row and row[0])

    _keep_trying(take, lambda: "another load", name, wait_seconds, log)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock({key})", (schema, name))


def in_short_transaction(
    connection: Connection,
    table: str,
    mode: str,
    *,
    statements: Callable[[], None],
    wait_seconds: float,
    log: logging.Logger,
) -> None:
    """Lock a table, but not its partitions, and run the statements in one transaction.

    Somebody who waits for a lock makes all who come after wait too; so each attempt is short, and the pauses between
    attempts let readers through.

    Raises:
        WarehouseBusyError: Others used the table for longer than ``wait_seconds``.
    """

    def attempt() -> bool:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_ATTEMPT}'")
                connection.execute(sql.SQL("LOCK TABLE ONLY {} IN " + mode + " MODE").format(sql.Identifier(table)))
                statements()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            return False
        return True

    _keep_trying(attempt, lambda: _users_of(connection, table), table, wait_seconds, log)


def _keep_trying(
    attempt: Callable[[], bool], who: Callable[[], str], what: str, wait_seconds: float, log: logging.Logger
) -> None:
    start = time.monotonic()
    next_message = start
    while not attempt():
        waited = time.monotonic() - start
        if waited > wait_seconds:
            raise WarehouseBusyError(
                f"{what} was in use by {who()} for {waited:.0f} seconds: end that, or raise the PostgreSQL resource's "
                "lock_wait_seconds, then run again."
            )
        if time.monotonic() >= next_message:
            log.info(f"Waiting for {what}, which is in use by {who()} ({waited:.0f} s so far)")
            next_message = time.monotonic() + _SECONDS_BETWEEN_MESSAGES
        time.sleep(_PAUSE_SECONDS)


def _users_of(connection: Connection, table: str) -> str:
    """Who holds locks on the table, without the text of their queries, which may hold secrets."""
    rows = connection.execute(
        "SELECT DISTINCT pid, usename, coalesce(nullif(application_name, ''), 'a session'),"
        " extract(epoch FROM now() - xact_start)::int"
        " FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
        (sql.Identifier(table).as_string(connection),),
    ).fetchall()
    users = [f"{program} of {user} (pid {pid}, for {seconds} s)" for pid, user, program, seconds in rows]
    return ", ".join(users) or "another session"
