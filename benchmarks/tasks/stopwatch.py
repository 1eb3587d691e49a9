"""A clock for a ``with`` block."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self


class Stopwatch:
    """Measures how long a ``with`` block takes.

    Attributes:
        seconds: The time, once the block has ended.
    """

    seconds: float

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._start
