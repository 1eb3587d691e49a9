"""Starts gcp-storage-emulator, and adds the features that it is missing and this project needs.

* ``ifGenerationMatch`` is respected, so that of two writers one gets 412, as on the real service.
* A bucket keeps the location, labels and life cycle that it is created with, and a malformed name is refused.
* One bucket belongs to another account: it can't be read (403), and its name is taken (409).
* One bucket is read-only: requests that would change it get 403.
"""

from __future__ import annotations

import argparse
import re
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.storage import Storage
from lifeline import end_with_parent, report

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_READING = ("storage.buckets.get", "storage.objects.get", "storage.objects.list")


class PreconditionFailedError(Exception):
    """The object has another generation than the request demands."""


class CarefulRouter(server.Router):
    """Checks permissions, and remembers the generation that a request demands, before the request is handled."""

    foreign_bucket = ""
    read_only_bucket = ""

    def handle(self, method: str) -> None:
        """Handle a request, or refuse it."""
        address = urlsplit(self._request_handler.path)
        bucket = _bucket_of(address.path)
        changes = method not in ("GET", "HEAD")
        if bucket == self.foreign_bucket or (bucket == self.read_only_bucket and changes):
            # The request must be read, or the connection is closed before the answer arrives.
            server._read_raw_data(self._request_handler)
            self._refuse(HTTPStatus.FORBIDDEN, f"The caller does not have access to the bucket {bucket}.")
            return
        _wanted.generation = parse_qs(address.query).get("ifGenerationMatch", [None])[0]
        _wanted.of_what_is_read = method in ("GET", "PATCH", "DELETE")
        try:
            super().handle(method)
        except PreconditionFailedError as error:
            self._refuse(HTTPStatus.PRECONDITION_FAILED, str(error))
        finally:
            _wanted.generation = None

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        response = server.Response(self._request_handler)
        response.status = status
        response.json({"error": {"code": status.value, "message": message}})
        response.close()


class CarefulStorage(Storage):
    """Checks the generation at the moment when an object is read, written or deleted."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._wanted_at_the_end: dict[str, str | None] = {}

    def create_resumable_upload(self, bucket_name: str, file_name: str, file_obj: dict[str, Any]) -> str:
        """Begin an upload in parts, whose precondition is checked when the last part arrives."""
        upload: str = super().create_resumable_upload(bucket_name, file_name, file_obj)
        self._wanted_at_the_end[upload] = _wanted.generation
        return upload

    def create_file(
        self, bucket_name: str, file_name: str, content: bytes, file_obj: dict[str, Any], file_id: str | None = None
    ) -> None:
        """Store an object."""
        wanted = self._wanted_at_the_end.pop(file_id, None) if file_id else _wanted.generation
        self._require(wanted, bucket_name, file_name)
        super().create_file(bucket_name, file_name, content, file_obj, file_id)

    def get_file_obj(self, bucket_name: str, file_name: str) -> dict[str, Any]:
        """Return the metadata of an object."""
        if _wanted.of_what_is_read:
            self._require(_wanted.generation, bucket_name, file_name)
        found: dict[str, Any] = super().get_file_obj(bucket_name, file_name)
        return found

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        """Delete an object."""
        self._require(_wanted.generation, bucket_name, file_name)
        super().delete_file(bucket_name, file_name)

    def _require(self, generation: str | None, bucket_name: str, file_name: str) -> None:
        found = self.objects.get(bucket_name, {}).get(file_name, {}).get("generation", "0")
        if generation is not None and generation != str(found):
            raise PreconditionFailedError(
                f"{bucket_name}/{file_name} has the generation {found}, and the request demands {generation}."
            )


class _Wanted(threading.local):
    """What the current request demands; the server handles one request at a time."""

    generation: str | None = None
    of_what_is_read = False


_wanted = _Wanted()


def main() -> None:
    """Serve until the parent closes the input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for all stored data")
    parser.add_argument("--foreign-bucket", required=True, help="name of a bucket of another account")
    parser.add_argument("--read-only-bucket", required=True, help="name of a bucket that can't be changed")
    options = parser.parse_args()
    end_with_parent(options.data)

    server.Storage = CarefulStorage
    server.Router = CarefulRouter
    CarefulRouter.foreign_bucket = options.foreign_bucket
    CarefulRouter.read_only_bucket = options.read_only_bucket
    _replace_handlers(options.foreign_bucket, options.read_only_bucket)

    emulator = server.create_server("127.0.0.1", 0, data_dir=str(options.data), default_bucket=options.read_only_bucket)
    emulator.start()
    while emulator._api._httpd is None:  # the thread reports that it runs before it has a port
        threading.Event().wait(0.01)
    report(port=emulator._api._httpd.server_port, emulator="gcp-storage-emulator")
    threading.Event().wait()


def _replace_handlers(foreign_bucket: str, read_only_bucket: str) -> None:
    def insert(request: Any, response: Any, storage: Storage) -> None:
        name = request.data.get("name")
        if name == foreign_bucket:
            response.status = HTTPStatus.CONFLICT
            response.json({"error": {"code": 409, "message": "The requested bucket name is not available."}})
            return
        if not _BUCKET_NAME.fullmatch(name):
            response.status = HTTPStatus.BAD_REQUEST
            response.json({"error": {"code": 400, "message": f"Invalid bucket name: {name}"}})
            return
        buckets.insert(request, response, storage)
        if response.status == HTTPStatus.OK:
            settings = dict(request.data)
            settings["location"] = settings.get("location", "US").upper()
            response.json(storage.create_bucket(name, buckets._patch_bucket(storage.get_bucket(name), settings)))

    def test_permissions(request: Any, response: Any, storage: Storage) -> None:
        buckets.test_iam_permissions(request, response, storage)
        if request.params["bucket_name"] == read_only_bucket:
            asked = request.query.get("permissions", [])
            response.json({"permissions": [name for name in asked if name in _READING]})

    replaced = {buckets.insert: insert, buckets.test_iam_permissions: test_permissions}
    for _, methods in server.HANDLERS:
        for method, handler in methods.items():
            methods[method] = replaced.get(handler, handler)


def _bucket_of(path: str) -> str | None:
    parts = path.strip("/").split("/")
    return parts[parts.index("b") + 1] if "b" in parts[:-1] else None


if __name__ == "__main__":
    main()
