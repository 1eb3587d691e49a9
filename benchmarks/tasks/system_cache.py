"""Fills the system's file cache, so that the speed of the disk is not measured."""

from __future__ import annotations

from pathlib import Path


def read_once(path: Path) -> None:
    """Read a file, so that the system keeps it in its cache."""
    with path.open("rb") as stream:
        while stream.read(1024 * 1024):
            continue
