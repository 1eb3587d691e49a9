"""A proxy in front of a PostgreSQL server that at some moment stops forwarding, without closing a connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

_PIECE = 16_384


class Proxy:
    """Forwards bytes between clients and a server, until so many bytes came from the clients; then nothing any more.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        has_stalled: Whether it has stopped forwarding.
    """

    def __init__(self, server: tuple[str, int], *, stalls_after: int) -> None:
        self._server, self._left = server, stalls_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.has_stalled = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                if self.has_stalled.is_set():
                    continue
                server = socket.create_connection(self._server)
                self._sockets.append(server)
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, origin: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while piece := origin.recv(_PIECE):
                if counted:
                    self._left -= len(piece)
                    if self._left < 0:
                        self.has_stalled.set()
                if self.has_stalled.is_set():
                    return
                target.sendall(piece)
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy_before(host: str, port: int, *, stalls_after: int) -> Iterator[Proxy]:
    """A proxy before a server, for the length of the block."""
    with Proxy((host, port), stalls_after=stalls_after) as proxy:
        yield proxy
