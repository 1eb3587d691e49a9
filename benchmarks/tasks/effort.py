"""Measures the cost of a load: seconds, and CPU time on both sides of the connection."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Final, Self

import psutil
import psycopg

from benchmarks.tasks.stopwatch import Stopwatch

_HERE: Final = {"localhost", "127.0.0.1", "::1"}


class Effort(Stopwatch):
    """Measures the cost of a ``with`` block, beginning with a checkpoint, so that the server has nothing left to write.

    Attributes:
        seconds: The time that the block took, once it has ended.
        client_cpu: CPU seconds of this process.
        server_cpu: CPU seconds of all processes of the server; None if they can't be seen.
    """

    client_cpu: float
    server_cpu: float | None = None

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._server = _postmaster(connection)

    def __enter__(self) -> Self:
        self._connection.execute("CHECKPOINT")
        self._client_start = time.process_time()
        self._server_start = _cpu_of_family(self._server) if self._server else 0.0
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self.client_cpu = time.process_time() - self._client_start
        if self._server:
            self.server_cpu = _cpu_of_family(self._server) - self._server_start

    def facts(self) -> dict[str, Any]:
        """Return the measured values as a task's result."""
        return {"seconds": self.seconds, "client_cpu": self.client_cpu, "server_cpu": self.server_cpu}


def _postmaster(connection: psycopg.Connection[Any]) -> psutil.Process | None:
    """The server's first process, if it runs on this machine."""
    if connection.info.host not in _HERE:
        return None
    try:
        backend = psutil.Process(connection.info.backend_pid)
    except psutil.NoSuchProcess:
        return None
    return backend.parent() if backend.name() == "postgres" else None


def _cpu_of_family(server: psutil.Process) -> float:
    """CPU seconds of the server and of all its processes, including those that have ended."""
    own = server.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in server.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended, and its parent counts it
        total += times.user + times.system
    return total
