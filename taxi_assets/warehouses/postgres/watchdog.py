"""Notices a connection that has died without a sign, and ends it, so that its statement fails instead of waiting.

Between a load and its server there may be a proxy, a firewall or a tunnel that stops forwarding without closing the
connection. Keepalives then reach the proxy only. So while a connection is in use, the server is asked over another one
whether it still works for it.
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
    """Watch a connection for the length of the block.

    After three checks in a row that the server does not answer, or as soon as it no longer knows the connection, the
    connection's socket is shut down; what waits for it then raises ``psycopg.OperationalError``.

    Args:
        connection: The connection.
        conninfo: How libpq reaches the server.
        place: The server as messages name it.
        every_seconds: How long to wait between two checks.
        log: Where is logged that a statement takes long, and that a check failed.
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
    """Shut the socket down, which the thread that waits for it notices at once; closing it would not wake it."""
    with suppress(OSError, psycopg.Error):
        copy = socket.socket(fileno=os.dup(connection.fileno()))
        with copy:
            copy.shutdown(socket.SHUT_RDWR)
