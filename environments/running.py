"""Runs a program, and hands on what it writes while it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final

_SECONDS_BETWEEN_TICKS: Final = 0.5
_SECONDS_TO_END: Final = 10.0


def run(
    command: Sequence[str], variables: Mapping[str, str], *, hear: Callable[[str], None], tick: Callable[[], None]
) -> int:
    """Run a program to its end; it is ended if this is interrupted or told to end.

    Args:
        command: Program and arguments.
        variables: Its environment variables.
        hear: Gets each line that it writes, to standard output or standard error.
        tick: Called twice a second, and after each line.

    Returns:
        Its exit code.
    """
    lines: SimpleQueue[str | None] = SimpleQueue()
    process = subprocess.Popen(  # noqa: S603 - uv, pip or Python, with our own requirements
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )

    def read() -> None:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        with _ended_by_signals():
            while True:
                try:
                    line = lines.get(timeout=_SECONDS_BETWEEN_TICKS)
                except Empty:
                    pass
                else:
                    if line is None:
                        return process.wait()
                    hear(line)
                tick()
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(_SECONDS_TO_END)
        if process.stdout is not None and not reader.is_alive():
            process.stdout.close()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A signal that would end this process at once raises SystemExit instead, so that the program is ended, too."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    ours = []
    if threading.current_thread() is threading.main_thread():
        ending = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        ours = [number for number in ending if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
