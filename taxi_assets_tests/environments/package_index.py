"""A package index on 127.0.0.1 with one small package, which can be told to wait with its answers."""

from __future__ import annotations

import ensurepip
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSIONS = ("1.0", "2.0")
_PATIENCE = 60.0


def write_wheels(folder: Path) -> Path:
    """Write the package `tiny` in two versions, and pip, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for version in VERSIONS:
        about = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny.py", f"VERSION = {version!r}\n")
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", f"tiny.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    (folder / pip.name).write_bytes(pip.read_bytes())
    return folder


class PackageIndex:
    """The index while it runs.

    Attributes:
        url: Its address, for PIP_INDEX_URL.
        asked: Set with the first question.
        may_answer: Answers wait for it.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/simple"
        self.asked, self.may_answer = threading.Event(), threading.Event()


@contextmanager
def package_index(folder: Path) -> Iterator[PackageIndex]:
    """Serve the wheels of a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.set()
            index.may_answer.wait(_PATIENCE)
            wheel = folder / Path(self.path).name
            if wheel.is_file():
                body, kind = wheel.read_bytes(), "application/octet-stream"
            else:
                names = (found.name for found in folder.glob(f"{wheel.name}-*.whl"))
                links = (f'<a href="/files/{name}">{name}</a>' for name in names)
                body, kind = f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>".encode(), "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    index = PackageIndex(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.may_answer.set()
        server.shutdown()
        server.server_close()
