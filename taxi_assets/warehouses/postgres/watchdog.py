"""Detects a lost connection and shuts it down, so that its statement fails instead of waiting for ever.

A proxy, a firewall or a tunnel between a load and its server may stop forwarding without closing the connection.
Keepalives then reach only the proxy. So while a connection is in use, the server is asked over another connection
whether it still knows the first one.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg.pq import PGconn, Ping

from taxi_assets.warehouses.postgres.catalog import Connection

_FAILED_CHECKS: Final = 3
_SECONDS_BETWEEN_MESSAGES: Final = 60.0
_ANSWER_SECONDS: Final = 10.0
"""Seconds after which a check that has connected, but gets no answer, has failed; and that the end waits for it."""


@contextmanager
def watched(
    connection: Connection, conninfo: str, place: str, *, every_seconds: float, log: logging.Logger
) -> Iterator[None]:
    """Watch a connection for the duration of a block.

    If the server does not answer three checks in a row, or no longer knows the connection, the connection's socket is
    shut down. A statement that waits for it then raises ``psycopg.OperationalError``.

    Args:
        connection: The connection.
        conninfo: The connection string for libpq.
        place: The server and database, as they are named in messages.
        every_seconds: Seconds between two checks.
        log: The log for messages about long statements and failed checks.

    Raises:
        psycopg.Error: The connection is lost already.
    """
    # The pid that the client library was told may be one that a pooler made up.
    ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
    ended = threading.Event()
    watch = threading.Thread(
        target=_watch,
        args=(connection, pid, conninfo, place),
        kwargs={"every_seconds": every_seconds, "ended": ended, "log": log},
        name="watchdog",
        daemon=True,
    )
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join(_ANSWER_SECONDS)


def _watch(
    connection: Connection,
    pid: int,
    conninfo: str,
    place: str,
    *,
    every_seconds: float,
    ended: threading.Event,
    log: logging.Logger,
) -> None:
    started = last_message = time.monotonic()
    failed = 0
    while not ended.wait(every_seconds):
        try:
            is_known = _server_knows(conninfo, pid)
        except psycopg.Error as error:
            cause = " ".join(str(error).split())
            if _answers(conninfo, error):
                failed = 0
                log.info(f"PostgreSQL at {place} answers, but can't be asked about the connection: {cause}")
            else:
                failed += 1
                log.warning(f"PostgreSQL at {place} does not answer (check {failed} of {_FAILED_CHECKS}): {cause}")
            is_known = failed < _FAILED_CHECKS
        else:
            failed = 0
        if ended.is_set():
            return
        if not is_known:
            log.warning(f"The connection to PostgreSQL at {place} is lost: its statement ends with an error")
            _shut_down(connection)
            return
        if time.monotonic() - last_message >= _SECONDS_BETWEEN_MESSAGES:
            last_message = time.monotonic()
            log.info(f"Still connected to PostgreSQL at {place}, after {last_message - started:.0f} s")


def _server_knows(conninfo: str, pid: int) -> bool:
    with psycopg.connect(conninfo, autocommit=True) as probe:
        limit = threading.Timer(_ANSWER_SECONDS, _shut_down, (probe,))
        limit.daemon = True
        limit.start()
        try:
            return probe.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None
        finally:
            limit.cancel()


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
