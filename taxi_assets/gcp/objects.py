"""Files as objects of a bucket: uploaded once, as a whole, and by one writer at a time."""

from __future__ import annotations

import base64
import io
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import google_crc32c
from google.api_core.exceptions import PreconditionFailed
from google.cloud import storage
from typing_extensions import override

from taxi_assets.errors import WarehouseBusyError, WarehouseError
from taxi_assets.ownership import MADE_BY, is_ours
from taxi_assets.progress import Progress

_CHUNK_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """An object that contains a file's bytes.

    Attributes:
        uri: Its address, ``gs://<bucket>/<name>``.
        size: Its length in bytes.
        crc32c: Its checksum, as Cloud Storage writes it.
        generation: Its version.
        uploaded: Whether this call uploaded it; False if it contained the same bytes already.
        seconds: How long the call took.
    """

    uri: str
    size: int
    crc32c: str
    generation: int
    uploaded: bool
    seconds: float


def store_file(bucket: storage.Bucket, name: str, path: Path, *, log: logging.Logger) -> StoredObject:
    """Upload a file as the object of that name, in bounded memory, unless the object has its bytes already.

    Raises:
        WarehouseError: There is an object of that name with other bytes, which this project did not create.
        WarehouseBusyError: Another program changed the object during the upload.
        google.api_core.exceptions.GoogleAPICallError: Cloud Storage refused.
    """
    start = time.monotonic()
    there = bucket.get_blob(name)
    if there is not None and holds(there, path):
        return _stored(there, uploaded=False, start=start)
    if there is not None and not is_ours(there.metadata):
        raise WarehouseError(
            f"gs://{bucket.name}/{name} is an object with other bytes that this project did not create: nothing was "
            "changed; move it away, or set GCP_BUCKET_NAME to another bucket, then run again."
        )
    try:
        blob = upload(bucket, name, path, replacing=there, metadata=MADE_BY, log=log)
    except PreconditionFailed as error:
        now = bucket.get_blob(name)
        if now is not None and holds(now, path):
            return _stored(now, uploaded=False, start=start)
        raise WarehouseBusyError(
            f"gs://{bucket.name}/{name} was changed by another program while it was uploaded: run again."
        ) from error
    return _stored(blob, uploaded=True, start=start)


def upload(
    bucket: storage.Bucket,
    name: str,
    path: Path,
    *,
    replacing: storage.Blob | None,
    metadata: Mapping[str, str],
    log: logging.Logger,
) -> storage.Blob:
    """Upload a file in bounded memory, and return the object.

    Args:
        bucket: The bucket.
        name: Name of the object.
        path: The file.
        replacing: The object that was found under that name, or None if there was none. If two writers replace the
            same object, the slower one fails.
        metadata: The object's metadata.
        log: The log for the progress of long uploads.

    Raises:
        google.api_core.exceptions.PreconditionFailed: Another writer has replaced the object.
        google.api_core.exceptions.GoogleAPICallError: Cloud Storage refused.
    """
    blob = bucket.blob(name, chunk_size=_CHUNK_BYTES)
    blob.metadata = dict(metadata)
    size = path.stat().st_size
    with _CountedFile(path, Progress(f"Uploading {name}", total=size, log=log)) as stream:
        blob.upload_from_file(
            stream,
            size=size,
            content_type=_content_type(path),
            checksum="crc32c",
            if_generation_match=replacing.generation if replacing is not None else 0,
        )
    return blob


def holds(blob: storage.Blob, path: Path) -> bool:
    """Whether an object's bytes are those of a file, by length and checksum."""
    return bool(blob.size == path.stat().st_size and blob.crc32c == _crc32c(path))


def _crc32c(path: Path) -> str:
    """A file's checksum as Cloud Storage writes it."""
    checksum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            checksum.update(piece)
    return base64.b64encode(checksum.digest()).decode("ascii")


def _stored(blob: storage.Blob, *, uploaded: bool, start: float) -> StoredObject:
    return StoredObject(
        uri=f"gs://{blob.bucket.name}/{blob.name}",
        size=blob.size,
        crc32c=blob.crc32c,
        generation=blob.generation,
        uploaded=uploaded,
        seconds=time.monotonic() - start,
    )


def _content_type(path: Path) -> str:
    # A Content-Encoding of gzip would make Cloud Storage unpack the file for some readers.
    return "application/gzip" if path.suffix == ".gz" else "application/octet-stream"


class _CountedFile(io.BufferedReader):
    """A file that reports how much of it has been read."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path.open("rb", buffering=0))
        self._progress = progress

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self._progress.advance(len(piece))
        return piece
