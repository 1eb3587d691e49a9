"""A real web server on 127.0.0.1 that serves files as a good server does, and misbehaves when told to."""

from __future__ import annotations

import ssl
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass
class Served:
    """One file on the server.

    Attributes:
        body: Its bytes.
        ranges: Whether a part of it can be asked for.
        wrong_rest: What is sent instead of the rest, under the right Content-Range, where a part is asked for.
        headers: Further headers of every answer about it.
    """

    body: bytes
    etag: str | None = '"v1"'
    last_modified: str | None = formatdate(1_600_000_000, usegmt=True)
    ranges: bool = True
    wrong_rest: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: Answer with this status instead of the file.
        headers: Further headers of the answer.
        body: Body of an answer with ``status``.
        cut_after: Send that many bytes of the body, then break the connection.
        hang_after: Send that many bytes of the body, then fall silent until the server stops.
        announce: Content-Length to state instead of the true one.
        without_length: Don't state a Content-Length: the body ends where the connection does.
        trickle: Send a byte at a time, with a pause of that many seconds before each.
        endless_headers: Send headers that don't end, a byte at a time, with a pause of that many seconds before each.
        endless_chunk: Announce a chunk in a frame that doesn't end, a byte at a time, with a pause before each.
        is_silent: Say nothing until the server stops.
        hangs_up: Close the connection without an answer.
        becomes: The file is replaced by this one before the request is answered.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    hang_after: int | None = None
    announce: int | None = None
    without_length: bool = False
    trickle: float | None = None
    endless_headers: float | None = None
    endless_chunk: float | None = None
    is_silent: bool = False
    hangs_up: bool = False
    becomes: Served | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]


class FileServer:
    """Serves ``files`` by path below ``address``.

    Each request takes the next fault of its path in ``faults_at``; where there is none, a GET takes the next of
    ``faults`` and a HEAD the next of ``head_faults``. Without a fault it is answered well. With a ``tls`` context it
    speaks https. As a proxy, it answers for the whole addresses that are in ``files``.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._scheme = "https" if tls else "http"
        self.files: dict[str, Served] = {}
        self.faults: deque[Fault] = deque()
        self.head_faults: deque[Fault] = deque()
        self.faults_at: dict[str, deque[Fault]] = {}
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def gets(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that closes its connection early is part of the play.
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def _handler(files: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._serve(files.head_faults)

        def do_GET(self) -> None:
            self._serve(files.faults)

        def _serve(self, faults: deque[Fault]) -> None:
            path = self.path.partition("?")[0]
            files.requests.append(Request(self.command, self.path, dict(self.headers.items())))
            faults = files.faults_at.get(path) or faults
            fault = faults.popleft() if faults else Fault()
            if fault.becomes is not None:
                files.files[path] = fault.becomes
            if fault.is_silent or fault.hangs_up:
                if fault.is_silent:
                    files.stopping.wait(10)
                self.close_connection = True
            elif fault.endless_headers is not None:
                self._trickle(b"HTTP/1.1 200 OK\r\nX-Endless: " + b"x" * 10_000, fault.endless_headers)
                self.close_connection = True
            elif fault.endless_chunk is not None:
                head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                self.wfile.write(head)
                self._trickle(b"1;" + b"x" * 10_000, fault.endless_chunk)
                self.close_connection = True
            elif fault.status is not None:
                self._answer(fault.status, {**fault.headers}, fault.body, fault)
            elif path not in files.files:
                self._answer(404, {}, b"not found", fault)
            else:
                self._send_file(files.files[path], fault)

        def _send_file(self, served: Served, fault: Fault) -> None:
            headers = {**served.headers, **fault.headers}
            if served.etag:
                headers["ETag"] = served.etag
            if served.last_modified:
                headers["Last-Modified"] = served.last_modified
            start = self._range_start(served)
            if self._is_known(served):
                self._answer(304, headers, b"", fault)
            elif start is None:
                self._answer(200, headers, served.body, fault)
            elif served.wrong_rest is not None:
                headers["Content-Range"] = f"bytes {start}-{len(served.body) - 1}/{len(served.body)}"
                self._answer(206, headers, served.wrong_rest, fault)
            elif start >= len(served.body):
                self._answer(416, {"Content-Range": f"bytes */{len(served.body)}"}, b"", fault)
            else:
                headers["Content-Range"] = f"bytes {start}-{len(served.body) - 1}/{len(served.body)}"
                self._answer(206, headers, served.body[start:], fault)

        def _is_known(self, served: Served) -> bool:
            if "If-None-Match" in self.headers:
                return self.headers["If-None-Match"] == served.etag
            return served.last_modified is not None and self.headers["If-Modified-Since"] == served.last_modified

        def _range_start(self, served: Served) -> int | None:
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, served.etag, served.last_modified)
            return int(asked.removeprefix("bytes=").rstrip("-")) if asked and served.ranges and same else None

        def _answer(self, status: int, headers: dict[str, str], body: bytes, fault: Fault) -> None:
            send_status = self.send_response_only if "Server" in headers else self.send_response
            send_status(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not fault.without_length:
                self.send_header("Content-Length", str(len(body) if fault.announce is None else fault.announce))
            self.end_headers()
            if self.command == "HEAD":
                return
            limits = [limit for limit in (fault.cut_after, fault.hang_after) if limit is not None]
            try:
                if fault.trickle is not None:
                    self._trickle(body, fault.trickle)
                self.wfile.write(body[: min(limits)] if limits else body)
                self.wfile.flush()
            except ConnectionError:
                self.close_connection = True  # the client had read enough
            if fault.hang_after is not None:
                files.stopping.wait(10)
            if limits or fault.without_length or fault.announce is not None:
                self.close_connection = True

        def _trickle(self, body: bytes, seconds: float) -> None:
            for byte in body:
                if files.stopping.wait(seconds):
                    return
                self.wfile.write(bytes([byte]))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Keep the test's output clean; ``requests`` has it all."""

    return Handler
