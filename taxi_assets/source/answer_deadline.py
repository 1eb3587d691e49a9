"""A limit to how long an answer may take to get on; httpx2 limits only the silence before each piece of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import httpx2

from taxi_assets.source.retries import TransientFault

_OPENED: Final = ("connect_tcp.complete", "start_tls.complete")
_WAITING: Final = "receive_response_headers.started"
_ARRIVED: Final = "receive_response_headers.complete"
_CLOSED: Final = ("response_closed.started", "response_closed.complete")
_FAILED: Final = ".failed"

_HEADERS: Final = "the headers of the answer did not arrive within {seconds:g} s"
_BODY: Final = "fewer than {kib:.1f} KiB arrived in {seconds:.0f} s"


class AnswerDeadline:
    """Breaks the connections of one client, which is used by one thread, when an answer does not get on.

    The headers have ``seconds`` to arrive, and so has each further piece of the body, for which ``advance`` is called.
    Bytes that belong to neither, such as the frame of a chunk that never comes, do not count.

    Attributes:
        seconds: How long each of them has.
        piece_bytes: Length of a piece of the body.
    """

    def __init__(self, seconds: float, piece_bytes: int) -> None:
        self.seconds, self.piece_bytes = seconds, piece_bytes
        self._sockets: list[socket.socket] = []
        self._ended: threading.Event | None = None
        self._since = time.monotonic()
        self._reason = _HEADERS
        self._has_passed = False

    def watch(self, request: httpx2.Request) -> None:
        """Watch a request: a hook for the client."""
        request.extensions["trace"] = self._follow

    def advance(self) -> None:
        """Begin to wait for the next piece."""
        self._since = time.monotonic()

    def too_slow(self) -> TransientFault:
        """The fault that a piece did not arrive in time."""
        reason = self._reason.format(seconds=self.seconds, kib=self.piece_bytes / 1024)
        # What such an attempt has brought is no sign that the server gets on.
        return TransientFault(reason, is_fruitless=True)

    @property
    def has_passed(self) -> bool:
        """Whether a piece takes longer than it may."""
        return time.monotonic() - self._since > self.seconds

    def _follow(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take an event of the connection.

        Raises:
            TransientFault: What was waited for failed because the time had passed.
        """
        if event.endswith(_OPENED):
            self._sockets.append(facts["return_value"].get_extra_info("socket"))
        elif event.endswith(_WAITING):
            self._begin()
        elif event.endswith(_ARRIVED):
            self._reason = _BODY
            self.advance()
        elif event.endswith(_CLOSED):
            self._end()
        elif event.endswith(_FAILED) and self._has_passed:
            self._end()
            # A reader that leaves an answer is not a failure, and must not be told of one: nobody would hear it.
            if not isinstance(facts["exception"], GeneratorExit):
                raise self.too_slow()

    def _begin(self) -> None:
        self._end()
        self._has_passed, self._reason = False, _HEADERS
        self.advance()
        self._ended = threading.Event()
        threading.Thread(target=self._wait, args=(self._ended,), name="answer deadline", daemon=True).start()

    def _end(self) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _wait(self, ended: threading.Event) -> None:
        while not ended.wait(max(self._since + self.seconds - time.monotonic(), 0) + 0.001):
            if self.has_passed and not ended.is_set():
                self._has_passed = True
                self._break()
                return

    def _break(self) -> None:
        for opened in self._sockets:
            with suppress(OSError):
                # The method of an SSL socket would also change what the waiting thread is using.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)
