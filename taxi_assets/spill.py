"""Folders for temporary files that are removed even where the process that made them was killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

_PREFIX: Final = "taxi_assets_spill_"
_LOCK: Final = ".lock"


@contextmanager
def spill_folder() -> Iterator[Path]:
    """A folder for temporary files, for the length of the block; folders that killed processes left are removed.

    The system releases a process's lock when the process ends, however it ends: so a folder whose lock can be taken
    is no longer in use.

    Raises:
        OSError: The folder can't be created.
    """
    parent = Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = FileLock(folder / _LOCK)
    try:
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # A folder without a lock is just being made, or just being removed.
        if not (folder / _LOCK).exists():
            continue
        try:
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue
