"""Waits for what another process or thread uses: with a message every ten seconds, and not for ever."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from logging import Logger
from typing import Final, TypeVar

from taxi_assets.errors import WarehouseBusyError

_SECONDS_BETWEEN_MESSAGES: Final = 10.0

Result = TypeVar("Result")


class InUse(Exception):  # noqa: N818 - not an error: it becomes one when the time is up
    """What an attempt needs is in use.

    Attributes:
        user: Returns who uses it, as part of a sentence; it is called for messages only.
    """

    def __init__(self, user: str | Callable[[], str]) -> None:
        super().__init__("in use")
        self.user = user if callable(user) else lambda: user


def wait_for(
    attempt: Callable[[], Result],
    *,
    what: str,
    log: Logger,
    pause_seconds: float,
    timeout_seconds: float | None = None,
    silent_seconds: float = 0.0,
    remedy: str = "let it end",
) -> Result:
    """Call ``attempt`` until it no longer raises ``InUse``, and return what it returns.

    Args:
        attempt: Takes what is waited for, or raises ``InUse``. Any other exception ends the waiting.
        what: What is waited for, as part of a sentence.
        log: Where a message says every ten seconds what is waited for and who uses it.
        pause_seconds: Longest pause between attempts; a random part of up to a half is left out, so that several that
            wait for one another don't try at the same moments.
        timeout_seconds: How long to wait; None for as long as it takes.
        silent_seconds: How long to wait before the first message.
        remedy: What to do when the time is up, as part of a sentence.

    Raises:
        WarehouseBusyError: It was in use for longer than ``timeout_seconds``. The last ``InUse`` is its cause.
    """
    start = time.monotonic()
    next_message = start + silent_seconds
    while True:
        try:
            return attempt()
        except InUse as busy:
            waited = time.monotonic() - start
            if timeout_seconds is not None and waited > timeout_seconds:
                raise WarehouseBusyError(
                    f"{what} was in use by {busy.user()} for {waited:.0f} seconds: {remedy}, then run again."
                ) from busy
            if waited >= next_message - start:
                log.info("Waiting for %s, which is in use by %s (%.0f s so far)", what, busy.user(), waited)
                next_message = time.monotonic() + _SECONDS_BETWEEN_MESSAGES
        time.sleep(pause_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
