"""Processes in which the project runs: forked from one that has imported everything, and replaced when they die."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Final

_IMPORTED: Final = {
    "duckdb": (
        "chaos.product.loading",
        "chaos.product.held",
        "chaos.product.reading",
        "chaos.product.killing",
        "taxi_assets.warehouses.duckdb.warehouse",
        "taxi_assets.source.verify_parquet",
    ),
    "postgres": ("taxi_assets.warehouses.postgres.warehouse",),
    "bigquery": ("taxi_assets.warehouses.bigquery.warehouse", "taxi_assets.gcp.resources"),
}
_END_SECONDS: Final = 10.0
_DUMP_SECONDS: Final = 1.0
_OUR_FRAME: Final = re.compile(r'File "([^"]*taxi_assets/[^"]*)", line (\d+)')


class ProcessCrashedError(Exception):
    """The process died by itself; the message says how."""


class ProcessHungError(Exception):
    """The process did not answer in time, and was killed."""


class CallFailedError(Exception):
    """The call raised an exception; the message is its traceback's last lines."""


class Worker:
    """A process that does one call after the other."""

    def __init__(self, folder: Path, name: str) -> None:
        """Start the process; what it and its libraries print goes to a file in ``folder``."""
        context = multiprocessing.get_context("forkserver")
        self._log = folder / f"{name}.log"
        self._mine, its = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(its, str(self._log)), name=name, daemon=True)
        self._process.start()
        its.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        """Whether it still lives."""
        return self._process.is_alive()

    def begin(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Have the process begin a call.

        Raises:
            ProcessCrashedError: It is dead.
        """
        try:
            self._mine.send((function, arguments, options))
        except OSError as error:
            raise ProcessCrashedError(self._how_it_died()) from error

    def wait(self, seconds: float) -> Any:
        """What the call returned.

        Raises:
            ProcessHungError: It did not return within so many seconds.
            ProcessCrashedError: The process died.
            CallFailedError: The call raised an exception.
        """
        if not self.has_answered(seconds):
            where = self._where_it_is()
            self.kill()
            raise ProcessHungError(f"no answer within {seconds:.0f} s{where}")
        try:
            is_fine, value = self._mine.recv()
        except (EOFError, OSError) as error:
            raise ProcessCrashedError(self._how_it_died()) from error
        if not is_fine:
            raise CallFailedError(value)
        return value

    def has_answered(self, seconds: float) -> bool:
        """Whether the call returns, or the process dies, within so many seconds."""
        return self._mine.poll(seconds)

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float, **options: Any) -> Any:
        """``begin`` and ``wait``."""
        self.begin(function, *arguments, **options)
        return self.wait(seconds)

    def kill(self) -> None:
        """End the process as a power cut would."""
        if self._process.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        self._process.join(_END_SECONDS)

    def end(self) -> None:
        """Let go of the process, and make sure that it has ended."""
        self._mine.close()
        self._process.join(_END_SECONDS)
        self.kill()

    def _where_it_is(self) -> str:
        """Lines of the project that the process's threads are at, the last one of each."""
        before = self._log.stat().st_size
        os.kill(self.pid, signal.SIGUSR1)
        self.has_answered(_DUMP_SECONDS)
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(before)
            stacks = log.read().split("\n\n")
        places = [_OUR_FRAME.search(stack) for stack in stacks]
        found = [f"{Path(place[1]).name}:{place[2]}" for place in places if place]
        return f", at {', '.join(found)}" if found else ""

    def _how_it_died(self) -> str:
        self._process.join(_END_SECONDS)
        code = self._process.exitcode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        lines = (
            self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self._log.exists() else []
        )
        said = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{how} ({said[:200]})"


def import_for(warehouses: Sequence[str]) -> None:
    """Have all workers begin with everything imported that loads into these warehouses need.

    It has an effect only before the first worker is started.
    """
    modules = [module for name in ("duckdb", *warehouses) for module in _IMPORTED[name]]
    multiprocessing.get_context("forkserver").set_forkserver_preload(modules)


def _serve(pipe: Connection, log: str) -> None:
    """Do what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the suite, which then ends its workers
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(stream, descriptor)
    faulthandler.register(signal.SIGUSR1, file=stream, all_threads=True)
    while True:
        try:
            function, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments, **options)
        except Exception:
            answer = False, "\n".join(traceback.format_exc().strip().splitlines()[-4:])
        pipe.send(answer)
