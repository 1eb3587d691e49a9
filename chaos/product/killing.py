"""Faults from within a loading process: it is killed at a statement or a request, or an answer is lost on the way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

Moment = Literal["before", "after"]


class _Countdown:
    """Counts calls, and is over at one of them."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._guard = threading.Lock()

    def is_over(self) -> bool:
        with self._guard:
            self._left -= 1
            return self._left == 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_statement(number: int, moment: Moment) -> None:
    """Kill this process just before or after the statement of that number that it sends to PostgreSQL."""
    import psycopg  # noqa: PLC0415 - imported in the process that uses it

    countdown = _Countdown(number)
    _interpose(psycopg.Cursor, "execute", countdown, moment)
    _interpose(psycopg.Copy, "write", countdown, moment)
    _interpose(psycopg.Connection, "commit", countdown, moment)


def _interpose(owner: Any, name: str, countdown: _Countdown, moment: Moment) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        is_over = countdown.is_over()
        if is_over and moment == "before":
            _die()
        returned = real(*arguments, **options)
        if is_over:
            _die()
        return returned

    setattr(owner, name, counted)


def die_at_request(number: int, moment: Moment) -> None:
    """Kill this process just before the request of that number to Google Cloud is sent, or when it was answered."""
    import requests  # noqa: PLC0415

    _interpose(requests.Session, "send", _Countdown(number), moment)


def lose_answer(number: int, status: int | None, *, is_done: bool) -> None:
    """Have the request of that number to Google Cloud fail.

    Args:
        number: Which request.
        status: The status that is answered instead; None breaks the connection.
        is_done: Whether the server has done it nevertheless.
    """
    import requests  # noqa: PLC0415

    real = requests.Session.send
    countdown = _Countdown(number)

    def send(session: Any, request: Any, **options: Any) -> Any:
        if not countdown.is_over():
            return real(session, request, **options)
        if is_done:
            real(session, request, **options).close()
        if status is None:
            raise requests.ConnectionError("the connection broke off")
        answer = requests.Response()
        answer.status_code = status
        answer.request, answer.url = request, request.url
        answer.headers["Content-Type"] = "application/json"
        answer._content = b'{"error": {"message": "try again", "errors": [{"reason": "backendError"}]}}'
        return answer

    requests.Session.send = send  # type: ignore[method-assign,assignment]
