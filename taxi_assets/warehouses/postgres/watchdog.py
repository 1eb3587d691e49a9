"""Detects a lost connection and shuts it down, so that its statement fails instead of waiting for ever.

A proxy, a firewall or a tunnel between a load and its server may stop forwarding without closing the connection.
Keepalives then reach only the proxy. So while a connection is in use, the server is asked over another connection
whether it still knows the first one, and how far its statement is: a session that was stopped is known, but makes no
progress.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import psycopg
from psycopg.pq import PGconn, Ping, TransactionStatus

from taxi_assets.warehouses.postgres.catalog import Connection

Result = TypeVar("Result")

_FAILED_CHECKS: Final = 3
_SECONDS_BETWEEN_MESSAGES: Final = 60.0
_ANSWER_SECONDS: Final = 10.0
"""Seconds after which a check that has connected, but gets no answer, has failed; and that the end waits for it."""

_HOW_FAR: Final = """
    SELECT
        state = 'active' AS is_busy,
        -- Changes with each statement, with each piece of a COPY, and with each piece of an index.
        concat_ws(
            ' ',
            query_start,
            (SELECT bytes_processed FROM pg_stat_progress_copy AS c WHERE c.pid = a.pid),
            (SELECT concat(index_relid, ' ', phase, ' ', blocks_done, ' ', tuples_done)
                FROM pg_stat_progress_create_index AS i WHERE i.pid = a.pid)
        ) AS progress,
        CAST(state_change AS text) AS state_change,
        coalesce(wait_event_type || ' ' || wait_event, 'nothing that it names') AS waits_for,
        array_to_string(pg_blocking_pids(pid), ', ') AS blocked_by
    FROM pg_stat_activity AS a
    WHERE pid = %s
"""


@contextmanager
def watched(
    connection: Connection,
    conninfo: str,
    place: str,
    *,
    every_seconds: float,
    stalled_seconds: float,
    log: logging.Logger,
) -> Iterator[None]:
    """Watch a connection for the duration of a block.

    If the server does not answer three checks in a row, no longer knows the connection, gets no further with its
    statement, or knows of none while the client waits for the answer to one, the connection's socket is shut down, so
    that the statement ends.

    Args:
        connection: The connection.
        conninfo: The connection string for libpq.
        place: The server and database, as they are named in messages.
        every_seconds: Seconds between two checks.
        stalled_seconds: Seconds without progress after which a statement counts as stalled.
        log: The log for messages about long statements and failed checks.

    Raises:
        psycopg.OperationalError: The connection is lost already, or was lost, or its statement has stalled; the message
            says which.
    """
    # The pid that the client library was told may be one that a pooler made up.
    with within(connection, _ANSWER_SECONDS):
        ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
    watch = _Watch(connection, pid, conninfo, place, stalled_seconds=stalled_seconds, log=log)
    thread = threading.Thread(target=watch.check_every, args=(every_seconds,), name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    except psycopg.Error as error:
        if watch.found is None:
            raise
        raise psycopg.OperationalError(watch.found) from error
    finally:
        watch.ended.set()
        thread.join(_ANSWER_SECONDS)


def while_connected(connection: Connection, action: Callable[[], Result], *, every_seconds: float) -> Result:
    """Do something by a driver that can't be interrupted, and return its result, as long as a watched connection lives.

    If that connection is lost, the driver is left to itself in a thread that does not keep the process from ending.

    Raises:
        psycopg.Error: The connection is lost.
        Exception: What the action raises.
    """
    outcome: Future[Result] = Future()

    def act() -> None:
        try:
            outcome.set_result(action())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=act, name="driver", daemon=True).start()
    while not wait([outcome], every_seconds).done:
        connection.execute("SELECT 1")
    return outcome.result()


@contextmanager
def within(connection: Connection, seconds: float) -> Iterator[None]:
    """Shut a connection down if the block takes longer, as statements do that are answered at once or never."""
    limit = threading.Timer(seconds, _shut_down, (connection,))
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


class _Watch:
    """The checks of one connection.

    Attributes:
        ended: To be set when the connection is no longer in use.
        found: What was found when the connection was shut down, as part of a sentence.
    """

    def __init__(
        self,
        connection: Connection,
        pid: int,
        conninfo: str,
        place: str,
        *,
        stalled_seconds: float,
        log: logging.Logger,
    ) -> None:
        self._connection, self._pid, self._conninfo, self._place = connection, pid, conninfo, place
        self._stalled_seconds, self._log = stalled_seconds, log
        self._failed = 0
        self._progress, self._progress_at = "", time.monotonic()
        self._idle_since, self._unheard = "", 0
        self.ended = threading.Event()
        self.found: str | None = None

    def check_every(self, seconds: float) -> None:
        """Check again and again, until the connection is no longer in use or is shut down."""
        started = last_message = time.monotonic()
        while not self.ended.wait(seconds):
            found = self._check()
            if self.ended.is_set():
                return
            if found is not None:
                self.found = found
                self._log.warning(
                    f"The connection to PostgreSQL at {self._place} is lost: its statement ends with an error"
                )
                _shut_down(self._connection)
                return
            if time.monotonic() - last_message >= _SECONDS_BETWEEN_MESSAGES:
                last_message = time.monotonic()
                self._log.info(f"Still connected to PostgreSQL at {self._place}, after {last_message - started:.0f} s")

    def _check(self) -> str | None:
        """What is wrong with the connection, if anything is."""
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as probe, within(probe, _ANSWER_SECONDS):
                row = probe.execute(_HOW_FAR, (self._pid,)).fetchone()
        except psycopg.Error as error:
            return self._after_failed_check(error)
        self._failed = 0
        if row is None:
            return "it no longer knows the connection"
        is_busy, progress, state_change, waits_for, blocked_by = row
        return self._stalled(progress, waits_for, blocked_by) if is_busy else self._unheard_of(state_change)

    def _after_failed_check(self, error: psycopg.Error) -> str | None:
        cause = " ".join(str(error).split())
        if _answers(self._conninfo, error):
            self._failed = 0
            self._log.info(f"PostgreSQL at {self._place} answers, but can't be asked about the connection: {cause}")
            return None
        self._failed += 1
        self._log.warning(
            f"PostgreSQL at {self._place} does not answer (check {self._failed} of {_FAILED_CHECKS}): {cause}"
        )
        return f"it did not answer {_FAILED_CHECKS} checks: {cause}" if self._failed >= _FAILED_CHECKS else None

    def _unheard_of(self, idle_since: str) -> str | None:
        """What to say if the server waits for a statement that the client has sent, or has sent an answer in vain."""
        is_waiting = self._connection.info.transaction_status == TransactionStatus.ACTIVE
        self._unheard = self._unheard + 1 if is_waiting and idle_since == self._idle_since else 0
        self._idle_since, self._progress = idle_since, ""
        if self._unheard < _FAILED_CHECKS:
            return None
        return "something between does not forward what the connection sends, although others get through"

    def _stalled(self, progress: str, waits_for: str, blocked_by: str) -> str | None:
        now = time.monotonic()
        self._unheard = 0
        if progress != self._progress:
            self._progress, self._progress_at = progress, now
            return None
        if now - self._progress_at < self._stalled_seconds:
            return None
        others = f", held by process {blocked_by}" if blocked_by else ""
        return (
            f"it got no further with a statement for {now - self._progress_at:.0f} s; process {self._pid} waits for "
            f"{waits_for}{others}"
        )


def _answers(conninfo: str, error: psycopg.Error) -> bool:
    """Whether the server is there: an error may be its answer, as when it is full or refuses the user.

    The error does not tell: psycopg gives it no SQLSTATE if it comes from connecting, and its text may be translated.
    """
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return False
    return PGconn.ping(conninfo.encode()) in (Ping.OK, Ping.REJECT)


def _shut_down(connection: Connection) -> None:
    """Shut the socket down, which wakes the thread that waits for it; closing the socket would not."""
    with suppress(OSError, psycopg.Error):
        copy = socket.socket(fileno=os.dup(connection.fileno()))
        with copy:
            copy.shutdown(socket.SHUT_RDWR)
