"""The lake's folder: where each file lies, who may write it, and how it gets its name.

A table is a folder, and a month of it a folder in that one, as Hive names them, with one file that always has the same
name::

    green_tripdata/file_month=2020-10-01/green_tripdata_2020-10.parquet
    green_tripdata_month/file_month=2020-11-01/green_tripdata_2020-11.parquet    not merged yet
    taxi_zones/taxi_zones.parquet
    _taxi_assets/                                                                locks and drafts

A reader that lists a table's folder finds whole files only: drafts are elsewhere, and take a file's name at once. A
reader that has a file open keeps it when another takes its name.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from taxi_assets.errors import UnknownTaxiOrMonthError, WarehouseError
from taxi_assets.files import flush_to_disk, make_private_folder
from taxi_assets.months import Month
from taxi_assets.waiting import InUse, wait_for

# Not in the tables' folders: Polars refuses to read a folder with a file that is not Parquet, even a hidden one.
_WORK: Final = "_taxi_assets"
_MONTH: Final = "file_month="
_PAUSE_SECONDS: Final = 0.2


class LakeFolder:
    """The folder of a lake. Several threads and processes may use the same one.

    Attributes:
        path: The folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def table(self, table: str) -> Path:
        """The folder of a table, whether it exists or not."""
        return self.path / table

    def file(self, table: str, month: Month | None = None, *, name: str | None = None) -> Path:
        """The file of a table, or of one month of it, whether it exists or not.

        Args:
            table: The table.
            month: The month; None for a table that has no months.
            name: What the file is called instead of its table.
        """
        if month is None:
            return self.table(table) / f"{table}.parquet"
        return self.table(table) / f"{_MONTH}{month.first_day}" / f"{name or table}_{month}.parquet"

    def months(self, table: str, *, name: str | None = None) -> Sequence[Month]:
        """The months of which a table has a file."""
        found = []
        for folder in self.table(table).glob(f"{_MONTH}*"):
            with suppress(UnknownTaxiOrMonthError):
                month = Month.parse(folder.name.removeprefix(_MONTH).removesuffix("-01"))
                if self.file(table, month, name=name).exists():
                    found.append(month)
        return sorted(found)

    def exists(self, table: str) -> bool:
        """Whether a table has a file."""
        return self.file(table).exists() or bool(self.months(table))

    @contextmanager
    def exclusive(self, name: str, *, wait_seconds: float, log: logging.Logger) -> Iterator[Path]:
        """Be the only one who writes what ``name`` stands for, with an empty folder for drafts.

        What killed writers have left is removed first.

        Raises:
            WarehouseBusyError: Another thread or process wrote it for longer than ``wait_seconds``.
            OSError: The folder can't be written.
        """
        make_private_folder(self.path / _WORK)
        lock, drafts = self._lock(name), self.path / _WORK / name

        def acquire() -> None:
            try:
                lock.acquire(blocking=False)
            except Timeout as error:
                raise InUse("another run that is writing it") from error

        wait_for(
            acquire,
            what=f"{name} in {self.path}",
            log=log,
            pause_seconds=_PAUSE_SECONDS,
            timeout_seconds=wait_seconds,
            silent_seconds=1.0,
            remedy="let it end, or raise lock_wait_seconds of the resource lake",
        )
        try:
            self._remove_drafts(drafts)
            self._remove_abandoned_drafts()
            drafts.mkdir()
            yield drafts
        finally:
            with suppress(OSError):
                self._remove_drafts(drafts)
            lock.release()

    def publish(self, draft: Path, file: Path) -> None:
        """Let a complete file of the lake's disk take its name, in place of the file that had it.

        Raises:
            WarehouseError: There are files of another program beside it.
            OSError: It can't be moved, or flushed to the disk.
        """
        self._make_folders(file.parent)
        self._require_no_others(file)
        draft.chmod(self.path.stat().st_mode & 0o644)
        flush_to_disk(draft)
        draft.replace(file)
        flush_to_disk(file.parent)
        flush_to_disk(draft.parent)

    def remove(self, file: Path) -> None:
        """Remove a file if it exists, and its month's folder.

        Raises:
            OSError: It can't be removed.
        """
        file.unlink(missing_ok=True)
        with suppress(OSError):
            flush_to_disk(file.parent)
            file.parent.rmdir()

    def _require_no_others(self, file: Path) -> None:
        others = sorted(each.name for each in file.parent.iterdir() if each != file and each.name[0] not in "._")
        if others:
            raise WarehouseError(
                f"{file.parent} has a file {others[0]} that this project did not create, and readers would take both: "
                "nothing was changed; move it away, then run again."
            )

    def _make_folders(self, folder: Path) -> None:
        """Make a table's folders, which may be looked into by those who may look into the lake's."""
        mode = self.path.stat().st_mode & 0o755
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(mode)
            flush_to_disk(missing.parent)

    def _lock(self, name: str) -> FileLock:
        return FileLock(self.path / _WORK / f"{name}.lock")

    def _remove_drafts(self, drafts: Path) -> None:
        if drafts.exists():
            shutil.rmtree(drafts)

    def _remove_abandoned_drafts(self) -> None:
        """Remove the drafts of writers that were killed: the system has released their locks."""
        for drafts in (self.path / _WORK).iterdir():
            if drafts.is_dir():
                with suppress(Timeout, OSError), self._lock(drafts.name).acquire(blocking=False):
                    shutil.rmtree(drafts, ignore_errors=True)
