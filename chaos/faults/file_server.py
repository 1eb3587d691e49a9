"""A web server on 127.0.0.1 that serves one file as a good server does, and lies, stalls and breaks off as it is told.

It writes answers byte by byte to the socket, so that it can also send what no HTTP library would.
"""

from __future__ import annotations

import hashlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from types import TracebackType
from typing import Literal

_FIRST_CHANGE = 1_600_000_000
_OF_A_STORE = ("x-amz-request-id", "CHAOS")
"""By such a header an object store is known, and its ETags as MD5s."""
_LONGEST_REQUEST = 65_536
_DRIP_BYTES = 7

End = Literal["keep", "close", "reset", "stall"]


@dataclass(frozen=True)
class ServedFile:
    """What an honest server has.

    Attributes:
        body: The file's bytes.
        version: Its number, of which ETag and time of change are made.
        has_md5: Whether its ETag is the MD5 of its bytes, as object stores have it.
    """

    body: bytes
    version: int = 1
    has_md5: bool = False

    @property
    def etag(self) -> str:
        """Its ETag."""
        digest = hashlib.md5(self.body, usedforsecurity=False).hexdigest()
        return f'"{digest}"' if self.has_md5 else f'"version-{self.version}"'

    @property
    def last_modified(self) -> str:
        """When it was changed."""
        return formatdate(_FIRST_CHANGE + self.version, usegmt=True)


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What is sent, and how it ends.

    Attributes:
        status: The status line's number and words.
        headers: The headers, in their order; a length is among them only where one is to be sent.
        body: The bytes after them.
        cut_after: How many bytes of the body are sent; all unless given.
        end: What happens then.
        is_chunked: Whether the body is sent in chunks.
        raw: Sent instead of all that.
        drips: Whether the body comes a few bytes at a time.
    """

    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut_after: int | None = None
    end: End = "keep"
    is_chunked: bool = False
    raw: bytes | None = None
    drips: bool = False

    def with_header(self, name: str, value: str | None) -> Answer:
        """The same with another value of a header, or without it."""
        left = tuple((key, text) for key, text in self.headers if key != name)
        return replace(self, headers=left if value is None else (*left, (name, value)))

    def header(self, name: str) -> str:
        """The value of a header, or empty."""
        return dict(self.headers).get(name, "")


Fault = Callable[[Answer, Request, ServedFile], Answer]


@dataclass
class Plan:
    """How a server misbehaves.

    Attributes:
        file: What it has.
        get: What becomes of answers to GET; the last one that is left goes on for ever.
        head: Likewise of answers to HEAD.
        later: The file that takes its place after so many requests.
        honest_after: After so many faulty answers to GET it is honest; never unless given.
        serves_ranges: Whether it continues where it is asked to.
    """

    file: ServedFile
    get: Fault | None = None
    head: Fault | None = None
    later: tuple[int, ServedFile] | None = None
    honest_after: int | None = None
    serves_ranges: bool = True
    requests: int = field(default=0, init=False)
    gets: int = field(default=0, init=False)
    bytes_sent: int = field(default=0, init=False)


def honest_answer(file: ServedFile, request: Request, *, serves_ranges: bool = True) -> Answer:
    """What a good server answers."""
    headers = (("ETag", file.etag), ("Last-Modified", file.last_modified), *((_OF_A_STORE,) if file.has_md5 else ()))
    asked = request.headers
    known = asked.get("if-none-match")
    if known == file.etag or (known is None and asked.get("if-modified-since") == file.last_modified):
        return Answer("304 Not Modified", headers)
    first = asked.get("range", "").removeprefix("bytes=").rstrip("-")
    is_same = asked.get("if-range") in (None, file.etag, file.last_modified)
    size = len(file.body)
    if first.isdecimal() and serves_ranges and is_same:
        start = int(first)
        if start >= size:
            return Answer("416 Range Not Satisfiable", (("Content-Range", f"bytes */{size}"), ("Content-Length", "0")))
        part = (("Content-Range", f"bytes {start}-{size - 1}/{size}"), ("Content-Length", str(size - start)))
        return Answer("206 Partial Content", (*headers, *part), file.body[start:])
    return Answer("200 OK", (*headers, ("Content-Length", str(size)), ("Accept-Ranges", "bytes")), file.body)


class FaultyServer:
    """Serves the file of its plan under every path.

    Attributes:
        plan: What it does; it can be exchanged at any time.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer:
        """What is answered to the next request."""
        plan = self.plan
        with self._guard:
            plan.requests += 1
            if plan.later is not None and plan.requests > plan.later[0]:
                plan.file = plan.later[1]
            file = plan.file
            answer = honest_answer(file, request, serves_ranges=plan.serves_ranges)
            if request.method == "HEAD":
                return plan.head(answer, request, file) if plan.head else answer
            plan.gets += 1
            is_honest = plan.honest_after is not None and plan.gets > plan.honest_after
            return plan.get(answer, request, file) if plan.get and not is_honest else answer

    def send(self, connection: socket.socket, answer: Answer, *, with_body: bool) -> bool:
        """Send an answer, and return whether the connection is kept."""
        if answer.raw is not None:
            self._send_all(connection, answer.raw)
        else:
            lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers), "", ""]
            self._send_all(connection, "\r\n".join(lines).encode("latin-1", "replace"))
            if with_body:
                self._send_body(connection, answer)
        if answer.end == "stall":
            self._stopping.wait(30)
        if answer.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return answer.end == "keep"

    def _send_body(self, connection: socket.socket, answer: Answer) -> None:
        body = answer.body if answer.cut_after is None else answer.body[: answer.cut_after]
        if answer.is_chunked:
            pieces = [body[place : place + 1000] for place in range(0, len(body), 1000)]
            packed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
            body = packed if answer.cut_after is not None else packed + b"0\r\n\r\n"
        if not answer.drips:
            self._send_all(connection, body)
            return
        for place in range(0, len(body), _DRIP_BYTES):
            self._send_all(connection, body[place : place + _DRIP_BYTES])

    def _send_all(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        with self._guard:
            self.plan.bytes_sent += len(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 50

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the play."""


def _handler(server: FaultyServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            arrived = b""
            while True:
                while b"\r\n\r\n" not in arrived:
                    more = connection.recv(_LONGEST_REQUEST)
                    if not more:
                        return
                    arrived += more
                head, _, arrived = arrived.partition(b"\r\n\r\n")
                request = _parsed(head.decode("latin-1"))
                if not server.send(connection, server.answer(request), with_body=request.method != "HEAD"):
                    return

    return Handler


def _parsed(head: str) -> Request:
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Request(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs})
