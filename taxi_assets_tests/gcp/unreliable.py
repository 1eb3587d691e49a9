"""A proxy on 127.0.0.1 before an emulator, which loses answers or gives others, as the real service sometimes does."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What goes wrong with requests to some addresses.

    Attributes:
        method: The requests' method.
        path: A pattern of their paths.
        is_done: Whether the request is carried out before its answer is lost or replaced.
        error: The error that is answered, as Google's services write it; without one, the connection ends.
        answer: What is answered instead of an error.
        times: How often.
        after: What the body of an earlier request must contain.
        change: What becomes of the request's body on its way; the answer is then the server's.
    """

    method: str
    path: str
    is_done: bool = True
    error: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    times: int = 1
    after: bytes = b""
    change: Callable[[bytes], bytes] | None = None

    def meets(self, method: str, path: str, bodies: Sequence[bytes]) -> bool:
        """Whether a request goes wrong, after requests with those bodies."""
        is_meant = method == self.method and re.search(self.path, path) is not None
        return self.times > 0 and is_meant and any(self.after in body for body in bodies)


def google_error(status: int, reason: str, message: str) -> Mapping[str, Any]:
    """The body of an error as Google's services write it."""
    return {
        "error": {
            "code": status,
            "message": message,
            "errors": [{"reason": reason, "message": message, "domain": "global"}],
        }
    }


@dataclass
class Unreliable:
    """The proxy.

    Attributes:
        address: Its address.
        faults: What goes wrong; the first that fits a request is taken.
        requests: Method and path of all requests.
    """

    address: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def unreliable(address: str) -> Iterator[Unreliable]:
    """A proxy before the server at that address."""
    behind = urlsplit(address)
    assert behind.hostname

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            proxy.requests.append((self.command, self.path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with guard:
                bodies.append(body)
                fault = next((fault for fault in proxy.faults if fault.meets(self.command, self.path, bodies)), None)
                if fault:
                    fault.times -= 1
            if fault and fault.change:
                self.give(*self.ask(fault.change(body)))
            elif fault is None:
                self.give(*self.ask(body))
            else:
                if fault.is_done:
                    self.ask(body)
                if fault.error or fault.answer:
                    status = fault.error["error"]["code"] if fault.error else 200
                    answer = json.dumps(fault.error or fault.answer).encode()
                    self.give(status, {"Content-Type": "application/json"}, answer)
                self.close_connection = True

        def give(self, status: int, headers: Mapping[str, str], answer: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        def ask(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
            connection = http.client.HTTPConnection(str(behind.hostname), behind.port, timeout=60)
            try:
                # The length is that of the body that is sent on.
                left_out = ("connection", "content-length")
                headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
                connection.request(self.command, self.path, body, headers)
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            finally:
                connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_one  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    guard, bodies = threading.Lock(), list[bytes]()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Unreliable(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
