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
_UNLOCKED_PREFIX: Final = "taxi_assets_new_spill_"
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
    folder = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=parent))
    try:
        with FileLock(folder / _LOCK):
            # Only now may other processes find it: they would remove a folder whose lock they can take.
            folder = folder.rename(parent / folder.name.replace(_UNLOCKED_PREFIX, _PREFIX, 1))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            # A folder without a lock is just being removed; one of another user can't be looked into.
            if not (folder / _LOCK).exists():
                continue
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue
