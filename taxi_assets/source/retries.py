"""How often and how long to try again when a source does not answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from logging import Logger
from typing import Final, TypeVar

from taxi_assets.reachability import Address

_ATTEMPTS_IN_ALL: Final = 20
_LONGEST_RETRY_AFTER: Final = 7 * 24 * 3600.0
Result = TypeVar("Result")


class TransientFault(Exception):  # noqa: N818 - not an error yet: it becomes one when no attempt is left
    """An attempt failed in a way that may not happen again.

    Attributes:
        reason: What happened, as part of a sentence.
        wait_seconds: How long the source asks to be left alone, if it does.
        is_fruitless: Whether the attempt counts as one that brought nothing, whatever has arrived.
        is_unreachable: Whether there was no connection at all.
    """

    def __init__(
        self,
        reason: str,
        wait_seconds: float | None = None,
        *,
        is_fruitless: bool = False,
        is_unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_seconds = wait_seconds
        self.is_fruitless = is_fruitless
        self.is_unreachable = is_unreachable


class AttemptsExhaustedError(TransientFault):
    """The last attempt failed, and no further one is made.

    Attributes:
        attempts: What the attempts came to, as part of a sentence.
    """

    def __init__(self, last: TransientFault, attempts: str) -> None:
        super().__init__(
            last.reason, last.wait_seconds, is_fruitless=last.is_fruitless, is_unreachable=last.is_unreachable
        )
        self.attempts = attempts


@dataclass(frozen=True)
class HttpRetries:
    """How often and how long to try again.

    Attributes:
        timeout_seconds: Longest silence of a source before an attempt counts as failed.
        attempts: Attempts in a row without a single new byte before giving up; twenty times as many are made in all.
        backoff_seconds: Pause after the first such attempt; it doubles with each further one.
        backoff_limit_seconds: Longest pause, also where a source asks for a longer one.
        slowness: How many times as long as a silence an answer's headers may take, and a piece of its body.
    """

    timeout_seconds: float = 60.0
    attempts: int = 5
    backoff_seconds: float = 1.0
    backoff_limit_seconds: float = 60.0
    slowness: float = 5.0

    @property
    def piece_seconds(self) -> float:
        """How long an answer's headers may take, and each piece of its body; a question put once can't wait longer."""
        return self.timeout_seconds * (self.slowness if self.attempts > 1 else 1.0)

    def keep_trying(
        self,
        attempt: Callable[[], Result],
        *,
        what: str,
        log: Logger,
        arrived: Callable[[], int] = lambda: 0,
        address: Address | None = None,
    ) -> Result:
        """Call ``attempt`` until it returns, while it fails with a ``TransientFault``.

        Args:
            attempt: What to do.
            what: The file's name, for the log.
            log: Where each failed attempt is told.
            arrived: Bytes that are there; an attempt that brings new ones starts the count of attempts again.
            address: What is asked. While it has never answered, it is given up sooner.

        Returns:
            What ``attempt`` returns.

        Raises:
            AttemptsExhaustedError: ``attempts`` in a row brought nothing, or all brought only a part.
        """
        furthest, made, fruitless = arrived(), 0, 0
        while True:
            if address is not None and (reason := address.news()) is not None:
                raise AttemptsExhaustedError(TransientFault(reason, is_unreachable=True), "no attempt was made")
            try:
                return attempt()
            except TransientFault as fault:
                made += 1
                # A transfer that had to start from zero brings nothing new until it is past the furthest point.
                fruitless = 0 if arrived() > furthest and not fault.is_fruitless else fruitless + 1
                furthest = max(furthest, arrived())
                is_given_up = fault.is_unreachable and address is not None and address.is_given_up(fault.reason)
                if fruitless >= self.attempts or is_given_up:
                    one, several = "1 attempt failed", f"{fruitless} attempts in a row failed"
                    raise AttemptsExhaustedError(fault, one if fruitless == 1 else several) from fault
                if made >= self.attempts * _ATTEMPTS_IN_ALL:
                    raise AttemptsExhaustedError(fault, f"{made} attempts brought only a part") from fault
                pause = self._pause(fault, fruitless)
                log.warning("%s: %s; trying again in %.1f s.", what, fault.reason, pause)
            time.sleep(pause)

    def _pause(self, fault: TransientFault, fruitless: int) -> float:
        if fault.wait_seconds is not None:
            return min(fault.wait_seconds, self.backoff_limit_seconds)
        longest = min(self.backoff_seconds * 2.0 ** max(fruitless - 1, 0), self.backoff_limit_seconds)
        # Random pauses keep transfers that broke together from coming back together.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The pause that a Retry-After header asks for, at most a week; None if it is missing or can't be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_RETRY_AFTER)
