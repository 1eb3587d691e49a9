"""The system's cache of files, without which a disk would be measured."""

from __future__ import annotations

from pathlib import Path


def read_once(path: Path) -> None:
    """Have the system cache a file, so that reading it again is not a measurement of the disk."""
    with path.open("rb") as stream:
        while stream.read(1024 * 1024):
            continue
