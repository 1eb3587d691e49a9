"""The official feed: Parquet files side by side, without a folder for each taxi."""

from __future__ import annotations

from dataclasses import replace
from logging import Logger
from pathlib import Path
from typing import Final

from taxi_assets.source.origin import Origin
from taxi_assets.source.raw_files import FileVersion, RawFile

FEED_ADDRESS: Final = "https://d37ci6vzurychx.cloudfront.net/trip-data"
"""Base address of the official feed, which answers 403 for a month that is not published yet."""


class FeedOrigin:
    """The files of the feed at a place, which is a web server or a folder.

    Attributes:
        name: What the place is called.
        is_release: Never: the feed publishes other files.
        is_remote: Whether the place is a server of others.
    """

    is_release = False

    def __init__(self, place: Origin) -> None:
        self._place = place
        self.name = place.name
        self.is_remote = place.is_remote

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:
        """See ``Origin.version``."""
        return self._place.version(_without_folder(file), known)

    def fetch(self, file: RawFile, target: Path, log: Logger) -> FileVersion:
        """See ``Origin.fetch``."""
        return self._place.fetch(_without_folder(file), target, log)


def _without_folder(file: RawFile) -> RawFile:
    return replace(file, path=file.name)
