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

from taxi_assets.warehouses.postgres.catalog import Connection

_FAILED_CHECKS: Final = 3
_SECONDS_BETWEEN_MESSAGES: Final = 60.0


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
    """
    ended = threading.Event()
    watch = threading.Thread(
        target=_watch,
        args=(connection, conninfo, place),
        kwargs={"every_seconds": every_seconds, "ended": ended, "log": log},
        name="watchdog",
        daemon=True,
    )
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(
    connection: Connection,
    conninfo: str,
    place: str,
    *,
    every_seconds: float,
    ended: threading.Event,
    log: logging.Logger,
) -> None:
    pid = connection.info.backend_pid
    started = last_message = time.monotonic()
    failed = 0
    while not ended.wait(every_seconds):
        try:
            is_known = _server_knows(conninfo, pid)
        except psycopg.Error as error:
            failed += 1
            cause = " ".join(str(error).split())
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
        return probe.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None


def _shut_down(connection: Connection) -> None:
    """Shut the socket down, which wakes the thread that waits for it; closing the socket would not."""
    with suppress(OSError, psycopg.Error):
        copy = socket.socket(fileno=os.dup(connection.fileno()))
        with copy:
            copy.shutdown(socket.SHUT_RDWR)
