"""Files to fetch, their versions, and files that have landed, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from taxi_assets.months import Month
from taxi_assets.published import PublishedMonth, published_month
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.taxis import Column, Taxi
from taxi_assets.zones import ZONES_COLUMNS, ZONES_PATH, ZONES_TABLE

_DIGITS: Final = 12


@dataclass(frozen=True)
class RawFile:
    """A file to fetch.

    Attributes:
        path: Path below the source's base address, ``green/green_tripdata_2020-10.csv.gz``; the same below the
            landing zone. The feed has its files side by side, without folders.
        header: Names of the columns that it must have, in any order.
        columns: Definitions of all columns that a Parquet file may have, those in ``header`` among them.
        published: What is known of the month as it was published, if the file should be the release's.
        landed_by: The asset, and the month if there is one, that lands the file; for messages.
    """

    path: str
    header: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    published: PublishedMonth | None = None
    landed_by: str = "its raw asset"

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.rpartition("/")[2]

    @property
    def is_gzip(self) -> bool:
        """Whether the bytes are gzip-compressed CSV rather than plain CSV."""
        return self.path.endswith(".gz")

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file of the feed."""
        return self.path.endswith(".parquet")

    @property
    def filename(self) -> str:
        """The value of the tables' ``filename`` column: ``green_tripdata_2020-10.csv``, as in the course."""
        return filename(self.name)

    def fits(self, landed: LandedFile) -> bool:
        """Whether a file that landed before has the columns that are needed now."""
        known = {name.lower() for name in (*self.header, *(column.name for column in self.columns))}
        return (
            set(self.header) <= set(landed.header)
            and {name.lower() for name in landed.header} <= known
            and known.isdisjoint(name.lower() for name in landed.unknown_columns)
        )


def filename(name: str) -> str:
    """The value of the tables' ``filename`` column for a file of that name."""
    return name.removesuffix(".gz")


def trip_file(taxi: Taxi, month: Month) -> RawFile:
    """The file of the release, or of a mirror of it, that holds one taxi's trips of one month."""
    return RawFile(
        taxi.file_path(month),
        taxi.header,
        published=published_month(taxi, month),
        landed_by=f"raw/{taxi.table} for {month}",
    )


def feed_file(taxi: Taxi, month: Month) -> RawFile:
    """The file of the feed that holds one taxi's trips of one month."""
    return RawFile(
        taxi.feed_path(month),
        taxi.header,
        columns=taxi.columns,
        landed_by=f"raw/{taxi.table} for {month}",
    )


def zones_file() -> RawFile:
    """The file that holds the taxi zones."""
    return RawFile(ZONES_PATH, tuple(column.name for column in ZONES_COLUMNS), landed_by=f"raw/{ZONES_TABLE}")


@dataclass(frozen=True)
class FileVersion:
    """What a source says about a file without sending it.

    Attributes:
        size: Length in bytes, if the source says it.
        etag: HTTP ETag, if any.
        last_modified: HTTP Last-Modified, or a folder file's time in nanoseconds, as text.
    """

    size: int | None
    etag: str | None = None
    last_modified: str | None = None

    def is_same_as(self, other: FileVersion) -> bool:
        """Whether two versions stand for the same bytes: they state the same, and state anything at all."""
        return self == other and self != FileVersion(size=None)

    def digest(self, origin: str) -> str:
        """A few digits that stand for this version of a file from the origin of that name."""
        facts = json.dumps([origin, self.size, self.etag, self.last_modified])
        return hashlib.sha256(facts.encode()).hexdigest()[:_DIGITS]

    def contradicts(self, other: FileVersion) -> bool:
        """Whether two versions differ in something that both state."""
        pairs = (
            (self.size, other.size),
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
        )
        return any(one is not None and another is not None and one != another for one, another in pairs)


@dataclass(frozen=True)
class LandedFile:
    """A file that was verified and lies in the landing zone.

    Attributes:
        path: Where it lies.
        origin: Where it came from, without credentials.
        version: Its version at the source when it was fetched.
        size: Its length in bytes.
        sha256: Its SHA-256 in hexadecimal.
        csv_size: Length of the CSV in bytes, uncompressed; None for a Parquet file.
        rows: Data rows, without the header.
        header: Names of the columns that the definition knows, spelt as there, in the order of the file.
        is_plain: Whether counting alone proves that a lenient reader can't misread it; see
            :class:`taxi_assets.source.plain.PlainRows`.
        notes: Findings that don't stop the load, as sentences.
        fetched: Whether this call fetched it; False if what landed before was still current.
        seconds: How long fetching and verifying took.
        unknown_columns: How many values there are in each column that the definition doesn't know.
    """

    path: Path
    origin: str
    version: FileVersion
    size: int
    sha256: str
    csv_size: int | None
    rows: int
    header: tuple[str, ...]
    is_plain: bool = False
    notes: tuple[str, ...] = ()
    fetched: bool = True
    seconds: float = 0.0
    unknown_columns: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file of the feed."""
        return self.path.suffix == ".parquet"

    @property
    def is_sample(self) -> bool:
        """Whether this project made it up."""
        return self.origin == SAMPLE_NAME

    @property
    def filename(self) -> str:
        """The value of the tables' ``filename`` column."""
        return filename(self.path.name)
