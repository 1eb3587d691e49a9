"""Files from a folder that is laid out like the release: ``<folder>/<taxi>/<file>``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final

from taxi_assets.errors import NotPublishedError, SourceUnavailableError
from taxi_assets.progress import Progress
from taxi_assets.source.raw_files import FileVersion, RawFile

_CHUNK: Final = 1024 * 1024


class FolderOrigin:
    """Files below a folder, on a disk or a network drive.

    Attributes:
        name: ``folder`` and its absolute path.
        is_release: Never: a folder may hold any bytes.
        is_remote: Never: looking at a folder costs nothing.
    """

    is_release = False
    is_remote = False

    def __init__(self, folder: Path, *, setting: str = "TAXI_SOURCE") -> None:
        """Take a folder, and the variable that names it, for messages."""
        self._folder = folder.absolute()
        self._setting = setting
        self.name = f"folder {self._folder}"

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:  # noqa: ARG002 - any origin's
        """Size and time of change of the file.

        Raises:
            NotPublishedError: The folder does not hold the file.
            SourceUnavailableError: The folder is not there, or the file can't be looked at.
        """
        with self._readable(file):
            return _version(file, (self._folder / file.path).stat(), self.name)

    def fetch(self, file: RawFile, target: Path, log: Logger) -> FileVersion:
        """Copy the file to ``target``.

        Raises:
            NotPublishedError: The folder does not hold the file.
            SourceUnavailableError: The folder is not there, the file can't be read, or it changed meanwhile.
            OSError: ``target`` can't be written.
        """
        with self._readable(file):
            source = (self._folder / file.path).open("rb")
        with source, target.open("wb") as copy:
            with self._readable(file):
                status = os.fstat(source.fileno())
                version = _version(file, status, self.name)
            progress = Progress(file.name, total=version.size, log=log)
            for chunk in self._chunks(file, source):
                copy.write(chunk)
                progress.advance(len(chunk))
                if progress.done > status.st_size:
                    break  # it grows, perhaps as fast as it is copied
        if self.version(file) != version or progress.done != version.size:
            raise SourceUnavailableError(
                f"{file.name} changed in the {self.name} while it was copied: try again when it is complete."
            )
        return version

    def _chunks(self, file: RawFile, source: BinaryIO) -> Iterator[bytes]:
        while True:
            with self._readable(file):
                chunk = source.read(_CHUNK)
            if not chunk:
                return
            yield chunk

    @contextmanager
    def _readable(self, file: RawFile) -> Iterator[None]:
        """Say in a sentence why reading failed. Errors of writing are not the source's, so only reading is wrapped."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self._folder.is_dir():
                raise SourceUnavailableError(
                    f"{file.name} can't be read because the {self.name} is missing: "
                    f"check {self._setting} and whether the drive is mounted."
                ) from error
            raise NotPublishedError(
                f"{file.name} is not in the {self.name} (expected at {file.path}): choose a month that is there, "
                "or another source with TAXI_SOURCE."
            ) from error
        except OSError as error:
            raise SourceUnavailableError(
                f"{file.name} can't be read from the {self.name} ({error.strerror}): check the file's permissions."
            ) from error


def _version(file: RawFile, status: os.stat_result, name: str) -> FileVersion:
    if not S_ISREG(status.st_mode):
        raise NotPublishedError(f"{file.name} in the {name} is not a file: put the published file at {file.path}.")
    return FileVersion(size=status.st_size, last_modified=str(status.st_mtime_ns))
