"""The lake's folder: each table has versions, which never change, and its name is a link to the latest.

::

    green_tripdata -> versions/green_tripdata/7
    versions/green_tripdata/7/file_month=2019-01-01/green_tripdata_2019-01-5d41402a.parquet
    versions/green_tripdata/7/file_month=2019-02-01/green_tripdata_2019-02-7b52009b.parquet
    versions/taxi_zones/1/taxi_zones-0b7e6e5c.parquet

Programs that read Parquet list a folder, and then open each file by its name, some of them several times. So neither
may change: where another file had taken a file's name, DuckDB and Polars read it with the wrong footer, and Spark left
out rows without a word. A reader that resolves the link has a folder that stays as it is. One that does not may miss a
file that it has listed, if the file's month is replaced at that moment; but it never reads two files as one.

A file is the same in all versions that have it, by hard links. So a version costs some entries of folders, however
large the table is.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from taxi_assets.errors import UnknownTaxiOrMonthError, WarehouseError
from taxi_assets.files import flush_to_disk, make_private_folder
from taxi_assets.months import Month
from taxi_assets.waiting import InUse, wait_for

_VERSIONS: Final = "versions"
_MONTH: Final = "file_month="
_NAME: Final = re.compile(r".+-[0-9a-f]{8}\.parquet")
_PAUSE_SECONDS: Final = 0.2

Files = Mapping[Month | None, Path]
"""A table's files by their months; the one file of a table without months has the key None."""


@dataclass(frozen=True)
class Version:
    """A version of a table.

    Attributes:
        path: Its folder, which stays as it is.
        files: Its files.
    """

    path: Path
    files: Files


class LakeFolder:
    """The folder of a lake. Several threads and processes may use the same one.

    Attributes:
        path: The folder, which need not exist yet.
    """

    def __init__(self, path: Path, *, wait_seconds: float, keep_seconds: float) -> None:
        """Take the folder.

        Args:
            path: The folder.
            wait_seconds: Seconds to wait while another thread or process writes the same.
            keep_seconds: Seconds that a version stays, after it was replaced, for those who read it.
        """
        self.path = path
        self._wait_seconds, self._keep_seconds = wait_seconds, keep_seconds

    def latest(self, table: str) -> Version | None:
        """The latest version of a table; None if there is none.

        Raises:
            WarehouseError: What has the table's name was not made by this project, or has been added to.
        """
        link = self.path / table
        if not link.is_symlink():
            if link.exists():
                raise self._not_ours(link)
            return None
        path = self.path / link.readlink()
        if path.parent != self._versions(table):
            raise self._not_ours(link)
        return Version(path, dict(_files(path)))

    def commit(self, table: str, changes: Mapping[Month | None, Path | None], log: logging.Logger) -> None:
        """Make a version that differs from the latest by some files, and let the table's name lead to it.

        Args:
            table: The table.
            changes: The new file of each month, on the lake's disk; None removes the month.
            log: The log for messages about waiting.

        Raises:
            WarehouseBusyError: Another thread or process committed for too long.
            WarehouseError: What has the table's name was not made by this project, or has been added to.
            OSError: The folder can't be written.
        """
        with self._locked(f"{table}.commit", log):
            latest = self.latest(table)
            before: Files = latest.files if latest else {}
            after = {month: file for month, file in {**before, **changes}.items() if file is not None}
            self._remove_versions(table, latest)
            if after == before:
                return
            if latest:
                os.utime(latest.path)  # from now on it counts as replaced
            if after:
                self._publish(table, self._make_version(table, after))
            else:
                (self.path / table).unlink()
            flush_to_disk(self.path)

    @contextmanager
    def exclusive(self, name: str, log: logging.Logger) -> Iterator[Path]:
        """Be the only one who writes what ``name`` stands for, with an empty folder for drafts.

        What killed writers have left is removed first.

        Raises:
            WarehouseBusyError: Another thread or process wrote it for too long.
            OSError: The folder can't be written.
        """
        drafts = self._drafts / name
        with self._locked(name, log):
            shutil.rmtree(drafts, ignore_errors=True)
            self._remove_abandoned_drafts()
            make_private_folder(drafts)
            try:
                yield drafts
            finally:
                shutil.rmtree(drafts, ignore_errors=True)

    def finish(self, draft: Path) -> Path:
        """Give a complete draft the name that it has for good, which tells its content, and flush it to the disk."""
        with draft.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        finished = draft.with_stem(f"{draft.stem}-{digest[:8]}")
        draft.replace(finished)
        # Who may look into the lake may read its files.
        finished.chmod(self.path.stat().st_mode & 0o644)
        flush_to_disk(finished)
        return finished

    def _versions(self, table: str) -> Path:
        return self.path / _VERSIONS / table

    @property
    def _drafts(self) -> Path:
        return self.path / _VERSIONS / ".drafts"

    def _make_version(self, table: str, files: Files) -> Path:
        versions = self._versions(table)
        numbers = [int(each.name) for each in versions.iterdir() if each.name.isdecimal()] if versions.exists() else []
        version = versions / str(max(numbers, default=0) + 1)
        self._make_folder(version)
        for month, file in files.items():
            place = version if month is None else version / f"{_MONTH}{month.first_day}"
            self._make_folder(place)
            os.link(file, place / file.name)
            flush_to_disk(place)
        flush_to_disk(version)
        flush_to_disk(versions)
        return version

    def _publish(self, table: str, version: Path) -> None:
        link = version.parent / ".latest"
        link.unlink(missing_ok=True)
        link.symlink_to(version.relative_to(self.path), target_is_directory=True)
        link.replace(self.path / table)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with those above it, which may be looked into by those who may look into the lake's."""
        mode = self.path.stat().st_mode & 0o755
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(mode)

    def _remove_versions(self, table: str, latest: Version | None) -> None:
        """Remove those that were replaced long ago, and those of killed writers, to which no link has ever led."""
        number = int(latest.path.name) if latest else 0
        versions = self._versions(table)
        for version in versions.iterdir() if versions.exists() else ():
            if not version.name.isdecimal() or int(version.name) == number:
                continue
            is_old = version.stat().st_mtime < time.time() - self._keep_seconds
            if is_old or (latest and int(version.name) > number):
                shutil.rmtree(version, ignore_errors=True)

    @contextmanager
    def _locked(self, name: str, log: logging.Logger) -> Iterator[None]:
        make_private_folder(self.path)
        self._make_folder(self._drafts)
        lock = self._lock(name)

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
            timeout_seconds=self._wait_seconds,
            silent_seconds=1.0,
            remedy="let it end, or raise lock_wait_seconds of the resource lake",
        )
        try:
            yield
        finally:
            lock.release()

    def _lock(self, name: str) -> FileLock:
        return FileLock(self._drafts / f"{name}.lock")

    def _remove_abandoned_drafts(self) -> None:
        """Remove the drafts of writers that were killed: the system has released their locks."""
        for drafts in self._drafts.iterdir():
            if drafts.is_dir():
                with suppress(Timeout, OSError), self._lock(drafts.name).acquire(blocking=False):
                    shutil.rmtree(drafts, ignore_errors=True)

    def _not_ours(self, link: Path) -> WarehouseError:
        return WarehouseError(
            f"There is a table {link} that this project did not create: nothing was changed; rename it, then run again."
        )


def _files(version: Path) -> Iterator[tuple[Month | None, Path]]:
    """The files of a version.

    Raises:
        WarehouseError: There is something that this project did not put there.
    """
    for entry in sorted(version.iterdir()):
        month, files = None, [entry]
        if entry.name.startswith(_MONTH):
            with suppress(UnknownTaxiOrMonthError):
                month = Month.parse(entry.name.removeprefix(_MONTH).removesuffix("-01"))
                files = sorted(entry.iterdir())
        others = [file for file in files if not _NAME.fullmatch(file.name)] + files[1:]
        if others:
            raise WarehouseError(
                f"{others[0]} was not put there by this project, and readers take it for a part of the table: nothing "
                "was changed; move it away, then run again."
            )
        if files:
            yield month, files[0]
