"""Waits for other sessions of the server: with a limit, with messages, and without blocking readers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from taxi_assets.waiting import InUse, wait_for
from taxi_assets.warehouses.postgres.catalog import Connection

_ATTEMPT: Final = "1s"
_PAUSE_SECONDS: Final = 0.2


@contextmanager
def exclusive(
    connection: Connection, schema: str, name: str, *, wait_seconds: float, log: logging.Logger
) -> Iterator[None]:
    """Hold the name for the duration of a block, while other sessions wait for it; a lost session releases it.

    The schema is given by its name, because it may not exist yet.

    Raises:
        WarehouseBusyError: Another session held it for longer than ``wait_seconds``.
    """
    key = "hashtextextended(current_database() || '.' || %s || '.' || %s, 0)"

    def lock() -> None:
        row = connection.execute(f"SELECT pg_try_advisory_lock({key})", (schema, name)).fetchone()
        if not (row and row[0]):
            raise InUse("another load")

    _wait_for(lock, what=name, wait_seconds=wait_seconds, log=log)
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

    A session that waits for a lock makes all later sessions wait too. So each attempt is short, and readers can use the
    table between attempts.

    Raises:
        WarehouseBusyError: Other sessions used the table for longer than ``wait_seconds``.
    """

    def attempt() -> None:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_ATTEMPT}'")
                connection.execute(sql.SQL("LOCK TABLE ONLY {} IN " + mode + " MODE").format(sql.Identifier(table)))
                statements()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise InUse(lambda: _users_of(connection, table)) from error

    _wait_for(attempt, what=table, wait_seconds=wait_seconds, log=log)


def _wait_for(attempt: Callable[[], None], *, what: str, wait_seconds: float, log: logging.Logger) -> None:
    wait_for(
        attempt,
        what=what,
        log=log,
        pause_seconds=_PAUSE_SECONDS,
        timeout_seconds=wait_seconds,
        remedy="end it, or raise the PostgreSQL resource's lock_wait_seconds",
    )


def _users_of(connection: Connection, table: str) -> str:
    """The sessions that hold locks on the table, without the text of their queries, which may contain secrets."""
    rows = connection.execute(
        "SELECT DISTINCT pid, usename, coalesce(nullif(application_name, ''), 'a session'),"
        " extract(epoch FROM now() - xact_start)::int"
        " FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
        (sql.Identifier(table).as_string(connection),),
    ).fetchall()
    users = [f"{program} of {user} (pid {pid}, for {seconds} s)" for pid, user, program, seconds in rows]
    return ", ".join(users) or "another session"
