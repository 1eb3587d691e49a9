"""Waits for other sessions of the server: with a limit, with messages, and without blocking readers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg import sql

from taxi_assets.waiting import InUse, wait_for
from taxi_assets.warehouses.postgres.catalog import Connection

ABANDONED_SECONDS: Final = 300.0
"""Seconds without a sign of its client after which a load that waits for it counts as abandoned."""

_KEY: Final = "hashtextextended(current_database() || '.' || %s || '.' || %s, 0)"
_WAITING_HOLDER: Final = f"""
    SELECT pg_locks.pid, coalesce(tuples_processed, 0), query_start
    FROM pg_locks
    JOIN pg_stat_activity USING (pid)
    LEFT JOIN pg_stat_progress_copy USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND wait_event = 'ClientRead'
        AND (tuples_processed IS NOT NULL OR state LIKE 'idle%%')
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = {_KEY}
"""
"""The session that holds the lock while it waits for rows or for another statement of its client."""

_HOLDER: Final = f"""
    SELECT pid, usename, coalesce(nullif(application_name, ''), 'a session'), host(client_addr),
        coalesce(state, 'in an unknown state'), extract(epoch FROM now() - coalesce(state_change, query_start))::int
    FROM pg_locks
    JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = {_KEY}
"""
"""The session that holds the lock, and since when it has been in its state."""

_ATTEMPT: Final = "1s"
_PAUSE_SECONDS: Final = 0.2


@contextmanager
def exclusive(
    connection: Connection,
    schema: str,
    name: str,
    *,
    wait_seconds: float,
    log: logging.Logger,
    abandoned_seconds: float = ABANDONED_SECONDS,
) -> Iterator[None]:
    """Hold the name for the duration of a block, while other sessions wait for it; a lost session releases it.

    The schema is given by its name, because it may not exist yet.

    Raises:
        WarehouseBusyError: Another session held it for longer than ``wait_seconds``.
    """
    key = (schema, name)
    holder = _Holder(connection, key, abandoned_seconds, log)

    def lock() -> None:
        row = connection.execute(f"SELECT pg_try_advisory_lock({_KEY})", key).fetchone()
        if not (row and row[0]):
            holder.end_if_abandoned()
            raise InUse(holder.in_words)

    _wait_for(lock, what=name, wait_seconds=wait_seconds, log=log)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock({_KEY})", key)


class _Holder:
    """The session that holds a lock for which this one waits.

    If a proxy has cut off a client, its session stays as it is for ever, because the server does not see a
    broken connection. Such a session is ended after it has received nothing for ``abandoned_seconds``.
    """

    def __init__(
        self, connection: Connection, key: tuple[str, str], abandoned_seconds: float, log: logging.Logger
    ) -> None:
        self._connection, self._key, self._log = connection, key, log
        self._abandoned_seconds = abandoned_seconds
        self._seen: tuple[object, ...] | None = None
        self._seen_since = time.monotonic()

    def in_words(self) -> str:
        """The session as part of a sentence, so that a user can find its client or end it."""
        row = self._connection.execute(_HOLDER, self._key).fetchone()
        if row is None:
            return "another load"
        pid, user, program, address, state, seconds = row
        since = f", {state} for {seconds} s" if seconds is not None else ""
        return f"another load: {program} of {user} at {address or 'the server'} (pid {pid}{since})"

    def end_if_abandoned(self) -> None:
        """End the session if it has received nothing for too long, and if this user is allowed to."""
        row = self._connection.execute(_WAITING_HOLDER, self._key).fetchone()
        now = time.monotonic()
        if row != self._seen or row is None:
            self._seen, self._seen_since = row, now
        elif now - self._seen_since > self._abandoned_seconds:
            pid, rows, _ = row
            self._log.warning(
                f"The load that holds the lock (pid {pid}) has received nothing for {self._abandoned_seconds:.0f} s "
                f"after {rows:,} rows: it is ended, because its client is gone"
            )
            with suppress(psycopg.errors.InsufficientPrivilege):
                self._connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            self._seen_since = now


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
