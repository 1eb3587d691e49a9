"""Files and folders of the project's own: written whole, so that a reader never finds a part, and private."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, flush: bool = False) -> None:
    """Write a file in one step: as a draft beside it, which then takes its name.

    Several threads and processes may write the same file; the content of the last one stays.

    Args:
        path: The file, whose folder must exist.
        content: All that it shall hold; text is written as UTF-8.
        flush: Whether to wait until the content is on the disk, so that a loss of power can't leave an empty file.

    Raises:
        OSError: It can't be written; what was there before stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        if flush:
            flush_to_disk(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def make_private_folder(folder: Path) -> None:
    """Make a folder where it is missing, with those above it, for its owner only.

    Raises:
        OSError: It can't be made.
    """
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        # Another process may make it at the same moment.
        missing.mkdir(mode=0o700, exist_ok=True)


def keep_new_files_private() -> None:
    """Let this process, and those that it starts from now on, make files and folders for their owner only.

    It is for files that a library makes at moments of its own choosing, such as DuckDB's write-ahead log.
    """
    os.umask(os.umask(0o077) | 0o077)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk, as far as the system can do that."""
    is_folder = path.is_dir()
    if is_folder and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
