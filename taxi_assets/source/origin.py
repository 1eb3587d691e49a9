"""What every source of files can do."""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Final, Protocol

from taxi_assets.source.raw_files import FileVersion, RawFile

RELEASE_ADDRESS: Final = "https://github.com/DataTalksClub/nyc-tlc-data/releases/download"
"""Base address of the published release, and the name of that source."""


class Origin(Protocol):
    """A place that files come from: a web server, a folder, the project's own sample."""

    @property
    def name(self) -> str:
        """Its name in messages and manifests, without credentials: ``https://host/path``, ``folder /x/y``."""
        ...

    @property
    def is_release(self) -> bool:
        """Whether it is the published release, of which the bytes are known."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether it is a server of others, which is not asked more often than needed."""
        ...

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:
        """Say which version of the file is offered, without sending it.

        Args:
            file: The file.
            known: The version that the caller has; a server answers more briefly if it is still the current one.

        Raises:
            NotPublishedError: The file is not there.
            SourceUnavailableError: The source does not answer.
        """
        ...

    def fetch(self, file: RawFile, target: Path, log: Logger) -> FileVersion:
        """Write all bytes of the file to ``target``, and say which version they are.

        What an earlier fetch left at ``target`` may be continued if it is provably of the same version.

        Raises:
            NotPublishedError: The file is not there.
            SourceUnavailableError: The source does not answer, or the transfer broke off too often. What has arrived
                may be continued.
            OSError: ``target`` can't be written.
        """
        ...
