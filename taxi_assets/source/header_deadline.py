"""A limit to how long the headers of an answer may take; httpx2 limits only the silence before each piece of them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any, Final

import httpx2

from taxi_assets.source.retries import TransientFault

_OPENED: Final = ("connect_tcp.complete", "start_tls.complete")
_WAITING: Final = "receive_response_headers.started"
_ARRIVED: Final = "receive_response_headers.complete"
_FAILED: Final = "receive_response_headers.failed"


class HeaderDeadline:
    """Breaks the connections of one client, which is used by one thread, when an answer's headers take too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._timer: Timer | None = None
        self._has_passed = False

    def watch(self, request: httpx2.Request) -> None:
        """Watch a request: a hook for the client."""
        request.extensions["trace"] = self._follow

    def _follow(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take an event of the connection.

        Raises:
            TransientFault: Waiting for the headers failed because the time had passed.
        """
        if event.endswith(_OPENED):
            self._sockets.append(facts["return_value"].get_extra_info("socket"))
        elif event.endswith(_WAITING):
            self._has_passed = False
            self._timer = Timer(self._seconds, self._break)
            self._timer.daemon = True
            self._timer.start()
        elif event.endswith((_ARRIVED, _FAILED)) and self._timer is not None:
            self._timer.cancel()
            if event.endswith(_FAILED) and self._has_passed:
                raise TransientFault(f"the headers of the answer did not arrive within {self._seconds:g} s")

    def _break(self) -> None:
        self._has_passed = True
        for opened in self._sockets:
            with suppress(OSError):
                # The method of an SSL socket would also change what the waiting thread is using.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)
