"""A TCP proxy that forwards so many bytes and then cuts the connection, or falls silent and keeps it open."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

_PIECE = 4096


@dataclass(frozen=True)
class ProxyFault:
    """What happens to the first connection on which so many bytes have passed.

    Attributes:
        direction: Whose bytes count: those to the server or those from it.
        after: How many pass.
        effect: What happens then.
        goes_on: Whether the same happens to every later connection.
    """

    direction: Literal["to", "from"]
    after: int
    effect: Literal["reset", "close", "stall"]
    goes_on: bool = False


class Proxy:
    """Forwards connections to a port of 127.0.0.1.

    Attributes:
        port: Where it listens.
        fault: What goes wrong; None forwards honestly.
        has_struck: Whether it went wrong.
    """

    def __init__(self, target: int) -> None:
        self.fault: ProxyFault | None = None
        self.has_struck = False
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Proxy:
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self.drop_all()

    def drop_all(self) -> None:
        """Close every connection."""
        with self._guard:
            left, self._open = self._open, set()
        for one in left:
            _close(one, reset=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._guard:
                self._open |= {client, server}
            fault = self.fault if self.fault and (self.fault.goes_on or not self.has_struck) else None
            for direction, source, sink in (("to", client, server), ("from", server, client)):
                threading.Thread(target=self._forward, args=(source, sink, direction, fault), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, direction: str, fault: ProxyFault | None) -> None:
        left = fault.after if fault and fault.direction == direction else None
        try:
            while True:
                data = source.recv(_PIECE)
                if not data:
                    break
                if left is not None and len(data) >= left:
                    sink.sendall(data[:left])
                    self.has_struck = True
                    if fault is not None and fault.effect == "stall":
                        return  # nobody reads or writes any more, and both ends stay open
                    _close(source, reset=fault is not None and fault.effect == "reset")
                    break
                left = None if left is None else left - len(data)
                sink.sendall(data)
        except OSError:
            pass  # one end is gone: so is the other
        _close(sink, reset=False)
        _close(source, reset=False)


def _close(one: socket.socket, *, reset: bool) -> None:
    try:
        if reset:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            one.shutdown(socket.SHUT_RDWR)
        one.close()
    except OSError:
        pass  # it is closed
