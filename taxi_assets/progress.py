"""Logs every few seconds how far a transfer is."""

from __future__ import annotations

import time
from logging import Logger
from typing import Any, Final

MIB: Final = 1024 * 1024
"""Bytes in a MiB."""


def mib(size: int) -> str:
    """A number of bytes in MiB with one decimal, without the unit."""
    return f"{size / MIB:.1f}"


def transfer_metadata(size: int, seconds: float, *, transferred: bool) -> dict[str, Any]:
    """About a file that was transferred: its size in bytes and MiB (2²⁰ bytes), seconds, and MiB per second.

    A file that was there before took no time, and its rate would be that of looking, so it is zero.
    """
    is_measured = transferred and seconds > 0
    return {
        "size (bytes)": size,
        "size (MiB)": round(size / MIB, 2),
        "seconds": round(seconds, 3),
        "MiB per second": round(size / MIB / seconds, 2) if is_measured else 0.0,
    }


class Progress:
    """Counts the bytes of one transfer and logs every few seconds how far it is.

    Attributes:
        done: Bytes that are there, those from before this transfer included.
    """

    def __init__(self, what: str, *, total: int | None, log: Logger, done: int = 0, every_seconds: float = 5.0) -> None:
        self.done = done
        self._what = what
        self._total = total
        self._log = log
        self._done_before = done
        self._every_seconds = every_seconds
        self._started = self._last_message = time.monotonic()

    def advance(self, size: int) -> None:
        """Count ``size`` more bytes, and log if a few seconds have passed since the last message."""
        self.done += size
        now = time.monotonic()
        if now - self._last_message >= self._every_seconds:
            self._last_message = now
            self._log.info("%s: %s", self._what, self._state(now - self._started))

    def _state(self, seconds: float) -> str:
        speed = (self.done - self._done_before) / seconds if seconds > 0 else 0.0
        rate = f"{speed / MIB:.1f} MiB/s"
        if not self._total:
            return f"{mib(self.done)} MiB, {rate}"
        share = f"{100 * self.done // self._total} %, {mib(self.done)} of {mib(self._total)} MiB, {rate}"
        if speed <= 0:
            return share
        return f"{share}, {max(self._total - self.done, 0) / speed:.0f} s left"
