"""The source as a Dagster resource: its settings, and the one function that lands a file."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg
from pydantic import Field

from taxi_assets.errors import SettingsError
from taxi_assets.months import Month, last_ended_month
from taxi_assets.source.address import existing_folder, is_web_address
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.feed import FEED_ADDRESS, FeedOrigin
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.http import HttpOrigin
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.landing_zone import LandingZone
from taxi_assets.source.origin import RELEASE_ADDRESS, Origin
from taxi_assets.source.raw_files import LandedFile, RawFile, feed_file, trip_file
from taxi_assets.source.retries import HttpRetries
from taxi_assets.taxis import Taxi

# Slots belong to the process and not to the resource, because each step has its own copy of the resource.
_slots: Final[dict[int, threading.BoundedSemaphore]] = {}
_slots_guard: Final = threading.Lock()

# Dagster gives a sensor or a schedule a minute for all that it does.
_LONGEST_SILENCE_OF_ONE_ATTEMPT: Final = 10.0


class TripSource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where files come from and where they land."""

    address: str = Field(
        default="release",
        description=(
            "“release”, “feed”, “auto” (the release as long as it goes, then the feed), “sample”, a folder, or an "
            "http(s) base address; files at <base>/<taxi>/<file>."
        ),
    )
    release: str = Field(default=RELEASE_ADDRESS, description="Base address or folder of the release.")
    feed: str = Field(default="", description="Base address or folder of the feed; empty for the official one.")
    landing: str = Field(description="Folder of the landing zone, or of this machine's copies if it is a bucket.")
    landing_bucket: str | None = Field(
        default=None, description="gs:// address where files land if machines don't share a disk."
    )
    downloads_at_once: int = Field(default=2, ge=1, description="Files that one process fetches at the same time.")
    timeout_seconds: float = Field(
        default=HttpRetries.timeout_seconds, gt=0, description="Longest time without an answer or a byte from a server."
    )
    attempts: int = Field(default=HttpRetries.attempts, ge=1, description="Attempts in a row that may bring nothing.")
    backoff_seconds: float = Field(
        default=HttpRetries.backoff_seconds,
        ge=0,
        description="Pause after the first such attempt; it doubles with each further one.",
    )
    backoff_limit_seconds: float = Field(
        default=HttpRetries.backoff_limit_seconds,
        ge=0,
        description="Longest pause, even if a server asks for a longer one.",
    )
    keep_raw_files: bool = Field(default=True, description="Whether raw files stay after their month was merged.")

    @property
    def name(self) -> str:
        """What the source is called, for messages that are not about a single file.

        Raises:
            SettingsError: See ``origin``.
        """
        match self._kind:
            case "feed":
                return self._feed(ask_once=True).name
            case "auto":
                return f"{self.origin(ask_once=True).name} and {self._feed(ask_once=True).name}"
            case _:
                return self.origin(ask_once=True).name

    def trip_file(self, taxi: Taxi, month: Month) -> RawFile:
        """The file that this source has of a taxi's month: a CSV of the release, or a Parquet file of the feed."""
        return feed_file(taxi, month) if taxi.is_from_feed(month, self._kind) else trip_file(taxi, month)

    def require_month(self, taxi: Taxi, month: Month) -> None:
        """Make sure that this source may have a file of that month.

        Raises:
            UnknownTaxiOrMonthError: It can't have one.
        """
        taxi.require_month(month, self._kind, last_ended_month(datetime.now(UTC)))

    def origin(self, file: RawFile | None = None, *, ask_once: bool = False) -> Origin:
        """Where a file of this source comes from.

        Args:
            file: The file. A Parquet file comes from the feed; other files, such as the zones, come from the release.
            ask_once: Whether a question is put once and a silent server is not waited for long, as sensors and
                schedules need it.

        Raises:
            SettingsError: The address is not known, not an existing folder, or the landing zone itself.
        """
        if file is not None and file.is_parquet:
            return self._feed(ask_once=ask_once)
        address = self.release if self._kind in ("release", "feed", "auto") else self.address.strip()
        if address == "sample":
            # The sample is generated by code that no other source needs.
            from taxi_assets.source.sample.origin import SampleOrigin  # noqa: PLC0415

            return SampleOrigin()
        return self._place(address, "TAXI_SOURCE", ask_once=ask_once)

    def landing_zone(self) -> LandingZone:
        """The folder or bucket where files land; a folder is made for the first of them.

        Raises:
            SettingsError: The bucket's address or what Google Cloud needs beside it is missing or wrong.
        """
        folder = FolderLandingZone(Path(self.landing).expanduser())
        if self.landing_bucket is None:
            return folder
        # Google's clients are imported only where they are used.
        from taxi_assets.source.landing_bucket import bucket_landing_zone  # noqa: PLC0415

        return bucket_landing_zone(self.landing_bucket, folder)

    def land(self, file: RawFile, log: logging.Logger) -> LandedFile:
        """Land a file from the source as soon as one of the process's download slots is free.

        Raises:
            SettingsError: See ``origin``.
            TaxiAssetsError: See ``LandingZone.land``.
        """
        origin = self.origin(file)
        with _download_slots(self.downloads_at_once):
            return self.landing_zone().land(file, origin, log)

    def current(self, file: RawFile) -> CurrentFile:
        """A file that has landed, to be read as it is at that moment.

        Raises:
            SettingsError: See ``landing_zone``.
        """
        return CurrentFile(self.landing_zone(), file)

    @property
    def _kind(self) -> str:
        return self.address.strip()

    def _feed(self, *, ask_once: bool) -> Origin:
        return FeedOrigin(self._place(self.feed.strip() or FEED_ADDRESS, "TAXI_FEED_URL", ask_once=ask_once))

    def _place(self, address: str, setting: str, *, ask_once: bool) -> Origin:
        if is_web_address(address):
            return HttpOrigin(address, self._one_attempt() if ask_once else self._retries(), setting=setting)
        return FolderOrigin(self._existing_folder(address, setting), setting=setting)

    def _retries(self) -> HttpRetries:
        return HttpRetries(
            timeout_seconds=self.timeout_seconds,
            attempts=self.attempts,
            backoff_seconds=self.backoff_seconds,
            backoff_limit_seconds=self.backoff_limit_seconds,
        )

    def _one_attempt(self) -> HttpRetries:
        return HttpRetries(timeout_seconds=min(self.timeout_seconds, _LONGEST_SILENCE_OF_ONE_ATTEMPT), attempts=1)

    def _existing_folder(self, address: str, setting: str) -> Path:
        folder = existing_folder(address, setting)
        if folder.resolve() == Path(self.landing).expanduser().resolve():
            raise SettingsError(f"{setting} is the landing zone {folder} itself: set it to where files come from.")
        return folder


def _download_slots(count: int) -> threading.BoundedSemaphore:
    with _slots_guard:
        return _slots.setdefault(count, threading.BoundedSemaphore(count))
