"""A file that has arrived in part, with a note beside it that says which version the bytes belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from taxi_assets.source.raw_files import FileVersion


class PartFile:
    """The beginning of a file.

    The note (``<file>.part.json``) is written before the first byte and removed before the bytes are. So bytes without
    a note are never continued, and a process that is killed in between leaves nothing that could be mistaken.

    Attributes:
        path: Where the bytes are.
        version: The version that they belong to; None if nothing can be continued.
        size: How many there are.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self.path = path
        self.version = _noted_version(path, origin)
        self.size = path.stat().st_size if self.version is not None and path.exists() else 0
        if self.version is not None and self.version.size is not None and self.size > self.version.size:
            self.discard()
        self._origin = origin

    @property
    def validator(self) -> str | None:
        """What makes a server continue the same bytes only: a strong ETag, else the time of change, if stated."""
        if self.version is None or self.size == 0:
            return None
        etag = self.version.etag
        if etag is not None and can_be_sent(etag) and not etag.startswith("W/"):
            return etag
        return self.version.last_modified

    @property
    def is_complete(self) -> bool:
        """Whether every byte has arrived, of a version that can be told from others."""
        return self.validator is not None and self.version is not None and self.size == self.version.size

    def begin(self, version: FileVersion) -> None:
        """Start from the first byte of that version."""
        self.discard()
        self._note(version, is_continued=False)
        self.version = version

    def continue_(self, version: FileVersion) -> None:
        """Note that more bytes come from another transfer than the first ones."""
        self._note(version, is_continued=True)

    def _note(self, version: FileVersion, *, is_continued: bool) -> None:
        note = {"origin": self._origin, "version": asdict(version), "is_continued": is_continued}
        _note_path(self.path).write_text(json.dumps(note, indent=2), encoding="utf-8")

    def discard(self) -> None:
        """Remove what has arrived."""
        discard_part(self.path)
        self.version = None
        self.size = 0

    @contextmanager
    def appending(self) -> Iterator[BinaryIO]:
        """The file, open for more bytes; ``size`` is right again when it is closed, whatever happened meanwhile."""
        with self.path.open("ab") as stream:
            try:
                yield stream
            finally:
                self.size = stream.tell() if self.version is not None else 0


def can_be_sent(header: str) -> bool:
    """Whether a header that a server sent may be sent back to it."""
    return header.isascii() and header.isprintable()


def was_continued(path: Path) -> bool:
    """Whether the bytes of a part file came by several transfers, which may not have been of the same bytes."""
    return _noted(path).get("is_continued") is True


def discard_part(path: Path) -> None:
    """Remove the part file and its note, where they are."""
    _note_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def discard_part_of_others(path: Path, origin: str) -> None:
    """Remove a part file that does not come from that origin, so that two origins' bytes never mix."""
    if _noted_version(path, origin) is None:
        discard_part(path)


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _noted(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(_note_path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _noted_version(path: Path, origin: str) -> FileVersion | None:
    """The version in the note, or None if it is missing, incomplete or about another origin."""
    note = _noted(path)
    try:
        return FileVersion(**note["version"]) if note["origin"] == origin else None
    except (KeyError, TypeError):
        return None
