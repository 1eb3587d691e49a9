"""A landed file as it is at the moment when it is read, because another run may replace it before, or meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from taxi_assets.errors import FileReplacedError
from taxi_assets.source.landing_zone import LandingZone
from taxi_assets.source.raw_files import LandedFile, RawFile

_ATTEMPTS: Final = 5

Result = TypeVar("Result")


class CurrentFile:
    """A raw file that is looked up in the landing zone each time it is read.

    A load looks it up when it has its lock. So of two loads of a month, the later one reads the later file.

    Attributes:
        file: The file.
        last: What was found when it was last read completely; None if that has not happened.
    """

    def __init__(self, zone: LandingZone, file: RawFile) -> None:
        self._zone = zone
        self.file = file
        self.last: LandedFile | None = None

    def require(self) -> None:
        """Make sure that the file has landed, before something is waited for in vain.

        Raises:
            LandingError: See ``LandingZone.landed``.
        """
        self._zone.landed(self.file)

    @contextmanager
    def unchanged(self) -> Iterator[LandedFile]:
        """The landed file for a block that reads it, and that has read one and the same file if it ends without error.

        Raises:
            LandingError: See ``LandingZone.landed``.
            FileReplacedError: It was replaced or changed meanwhile, so nothing that was read may be kept.
        """
        landed = self._zone.landed(self.file)
        before = _identity(landed.path)
        # What was noted may belong to the file that was there a moment ago.
        if self._zone.landed(self.file).sha256 != landed.sha256:
            raise self._replaced()
        try:
            yield landed
        except Exception as error:
            if _identity(landed.path) != before:
                raise self._replaced() from error
            raise
        if _identity(landed.path) != before:
            raise self._replaced()
        self.last = landed

    def read_by(self, action: Callable[[CurrentFile], Result], log: logging.Logger) -> Result:
        """Call an action that reads the file, and call it again if the file was replaced meanwhile.

        Raises:
            FileReplacedError: It was replaced each time.
            Exception: What the action raises.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return action(self)
            except FileReplacedError:
                log.info(f"{self.file.name} was replaced while it was read: reading it again")
        return action(self)

    def _replaced(self) -> FileReplacedError:
        return FileReplacedError(
            f"{self.file.name} was replaced in the landing zone while it was read: nothing of it was kept; run again "
            "when no other program writes it."
        )


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes if the file is replaced or written; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
