"""What every landing zone can do, wherever it keeps its files."""

from __future__ import annotations

import logging
from typing import Protocol

from taxi_assets.source.origin import Origin
from taxi_assets.source.raw_files import LandedFile, RawFile


class LandingZone(Protocol):
    """Verified raw files, each with what was noted when it landed."""

    def land(self, file: RawFile, origin: Origin, log: logging.Logger) -> LandedFile:
        """Make sure that the source's current version of the file is here and verified.

        The file that landed before stays until the new one is verified. It is returned without a transfer only if the
        source says that it is still current.

        Raises:
            NotPublishedError: The source does not offer the file.
            SourceUnavailableError: The source does not answer or broke off too often, even if an older file is here.
            DamagedFileError: What arrived is not the whole file, or differs from the published one.
            UnexpectedContentError: Its columns are not those of the definition, or it has no rows.
            LandingError: The landing zone can't be written or is full, or the file can't be verified here.
        """
        ...

    def landed(self, file: RawFile) -> LandedFile:
        """The file that landed, at a path of this machine.

        Raises:
            LandingError: It never landed, was purged, or was changed since it was verified.
        """
        ...

    def known(self, file: RawFile) -> LandedFile | None:
        """What was noted of the file, even if the file itself was purged; None if it never landed."""
        ...

    def purge(self, file: RawFile) -> bool:
        """Delete the file, keep what was noted of it, and return whether there was a file.

        Raises:
            LandingError: The landing zone can't be written.
        """
        ...

    def forget(self, file: RawFile, *, origin: str) -> bool:
        """Delete the file and what was noted of it, if it came from that origin, and return whether it did.

        A file that was changed since it was verified stays.

        Raises:
            LandingError: The landing zone can't be written.
        """
        ...
