"""What a source of files must be able to do, whatever it is."""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Final, Protocol

from taxi_assets.source.files import FileVersion, RawFile

RELEASE_ADDRESS: Final = "https://github.com/DataTalksClub/nyc-tlc-data/releases/download"
"""Base address of the published release, and the name of that source."""


class Origin(Protocol):
    """Somewhere files come from: a web server, a folder, the project's own sample."""

    @property
    def name(self) -> str:
        """What people and stored files call it, without credentials: ``https://host/path``, ``folder /x/y``."""
        ...

    @property
    def is_release(self) -> bool:
        """Whether it is the published release, whose bytes must be the known ones."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether asking it is work for somebody else's server, and is therefore done sparingly."""
        ...

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:
        """Say which version of the file is offered, without sending it.

        Args:
            file: The file.
            known: The version that the caller has; a source may say in fewer words that it is still this one.

        Raises:
            NotPublishedError: The file is not there.
            SourceUnavailableError: The source does not answer.
        """
        ...

    def fetch(self, file: RawFile, target: Path, log: Logger) -> FileVersion:
        """Write all bytes of the file to ``target``, and say which version they are.

        What an earlier, broken fetch left at ``target`` may be continued where it is provably of the same version.

        Raises:
            NotPublishedError: The file is not there.
            SourceUnavailableError: The source does not answer or broke off too often.
            OSError: ``target`` can't be written.
        """
        ...
