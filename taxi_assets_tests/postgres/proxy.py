"""A proxy in front of a PostgreSQL server: it may stop forwarding without closing a connection, or be a pooler."""

from __future__ import annotations

import math
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

_PIECE = 16_384
_KEY_MESSAGE = re.compile(rb"K\x00\x00\x00\x0c.{8}", re.DOTALL)
"""The message in which a server tells a client its process id, and the key by which to cancel a statement."""
_KEY_OF_POOLER = b"K\x00\x00\x00\x0c\x7f\xff\xff\xff\x01\x02\x03\x04"


class Proxy:
    """Forwards bytes between clients and a server, until so many bytes came from the clients; then nothing any more, or
    only for clients that come later.

    As a pooler, it tells clients a key of its own instead of the server's process id, as PgBouncer does.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        has_stalled: Whether it has stopped forwarding.
    """

    def __init__(self, server: tuple[str, int], *, stalls_after: float, stalls_new_ones: bool, is_pooler: bool) -> None:
        self._server, self._left, self._is_pooler = server, stalls_after, is_pooler
        self._stalls_new_ones = stalls_new_ones
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
                is_spared = self.has_stalled.is_set() and not self._stalls_new_ones
                if self.has_stalled.is_set() and not is_spared:
                    continue
                server = socket.create_connection(self._server)
                self._sockets.append(server)
                threading.Thread(target=self._forward, args=(client, server, True, is_spared), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False, is_spared), daemon=True).start()

    def _forward(self, origin: socket.socket, target: socket.socket, counted: bool, is_spared: bool) -> None:
        with suppress(OSError):
            while piece := origin.recv(_PIECE):
                if counted:
                    self._left -= len(piece)
                    if self._left < 0:
                        self.has_stalled.set()
                if self.has_stalled.is_set() and not is_spared:
                    return
                if self._is_pooler and not counted:
                    piece = _KEY_MESSAGE.sub(_KEY_OF_POOLER, piece, count=1)
                target.sendall(piece)
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy_before(
    host: str, port: int, *, stalls_after: float = math.inf, stalls_new_ones: bool = True, is_pooler: bool = False
) -> Iterator[Proxy]:
    """A proxy before a server, for the length of the block."""
    with Proxy((host, port), stalls_after=stalls_after, stalls_new_ones=stalls_new_ones, is_pooler=is_pooler) as proxy:
        yield proxy
