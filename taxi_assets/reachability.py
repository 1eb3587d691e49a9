"""What this process has learned about whether an address answers at all.

A server that has answered before, and is silent now, is worth waiting for. An address that has never answered, because
its name is unknown or nothing listens there, is mostly a machine without a network or a wrong setting: it is tried for
a few seconds. All months of a run, which is one process, share what was learned.
"""

from __future__ import annotations

import time
from functools import cache
from threading import Lock
from typing import Final

_NEWS_SECONDS: Final = 10.0
"""How long a failure counts for others, so that they need not wait for the same one."""


class Address:
    """An address, as this process knows it. Threads share it."""

    def __init__(self, patience_seconds: float) -> None:
        """Begin without knowledge.

        Args:
            patience_seconds: How long to try while the address has never answered, counted from the first failure.
        """
        self._patience_seconds = patience_seconds
        self._guard = Lock()
        self._has_answered = False
        self._first_failed_at: float | None = None
        self._last_failed_at = 0.0
        self._reason = ""

    @property
    def has_answered(self) -> bool:
        """Whether it has ever answered."""
        return self._has_answered

    def answered(self) -> None:
        """Note that it has answered, whatever the answer was."""
        self._has_answered = True

    def is_given_up(self, reason: str) -> bool:
        """Note an attempt that did not reach it.

        Args:
            reason: Why not, as part of a sentence.

        Returns:
            Whether it has never answered for so long that no further attempt is worth it.
        """
        with self._guard:
            now = time.monotonic()
            if self._first_failed_at is None:
                self._first_failed_at = now
            self._last_failed_at, self._reason = now, reason
            return self._is_given_up(now)

    def news(self) -> str | None:
        """Why others have just given it up, as part of a sentence; None if an attempt is worth it."""
        with self._guard:
            now = time.monotonic()
            is_news = now - self._last_failed_at < _NEWS_SECONDS
            return self._reason if is_news and self._is_given_up(self._last_failed_at) else None

    def _is_given_up(self, now: float) -> bool:
        if self._has_answered or self._first_failed_at is None:
            return False
        return now - self._first_failed_at >= self._patience_seconds


@cache
def known_address(name: str, patience_seconds: float) -> Address:  # noqa: ARG001 - what the cache finds it by
    """The address of this name; the same one for all callers in this process.

    Args:
        name: What it is called, such as ``https://github.com`` or ``localhost:5432``.
        patience_seconds: See ``Address``.
    """
    return Address(patience_seconds)
