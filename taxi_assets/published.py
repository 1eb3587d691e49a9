"""The known row counts, sizes and hashes of the published files, and how certain they are.

The figures are in ``published_files.csv``. ``rows_known_from`` is where a row count of the release comes from:
``counted`` (counted from its CSV), ``parquet`` (the feed's file of that month has the same count), ``derived`` (from
yearly sums) or ``unsourced``. Row counts of the feed are those in the footers of its files.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi

_FOOTER: Final = "its footer"
_EXPLANATIONS: Final[Mapping[str, str]] = {
    "counted": "counted from the file",
    "parquet": "counted from the feed's .parquet file",
    "derived": "derived from yearly sums",
    "unsourced": "unsourced",
    _FOOTER: "read from its footer",
}


@dataclass(frozen=True)
class PublishedCount:
    """How many rows a published file has.

    Attributes:
        rows: Its data rows.
        known_from: Where that figure comes from; see the module's docstring.
    """

    rows: int
    known_from: str

    @property
    def is_sure(self) -> bool:
        """Whether the rows were counted from the file itself."""
        return self.known_from in ("counted", _FOOTER)

    @property
    def explanation(self) -> str:
        """Where the figure comes from, for people."""
        return _EXPLANATIONS[self.known_from]


@dataclass(frozen=True)
class PublishedMonth:
    """The published files of one taxi and month.

    Attributes:
        release: Rows of the release's file, if there is one.
        feed: Rows of the feed's file, if known.
        gz_size: Compressed length of the release's file in bytes, if known.
        gz_sha256: SHA-256 of that file in hexadecimal, if known.
        csv_size: Its uncompressed length in bytes, if known.
    """

    release: PublishedCount | None = None
    feed: PublishedCount | None = None
    gz_size: int | None = None
    gz_sha256: str | None = None
    csv_size: int | None = None

    def count_of(self, filename: str) -> PublishedCount | None:
        """The count of the file with that name: ``….csv`` is the release's, ``….parquet`` the feed's."""
        return self.feed if filename.endswith(".parquet") else self.release


def published_month(taxi: Taxi, month: Month) -> PublishedMonth:
    """The known figures of that taxi's files of that month; all are None if nothing is known."""
    return _published_months().get((taxi.name, str(month)), PublishedMonth())


@cache
def _published_months() -> Mapping[tuple[str, str], PublishedMonth]:
    with resources.files(__package__).joinpath("published_files.csv").open(encoding="utf-8") as lines:
        return {
            (row["taxi"], row["month"]): PublishedMonth(
                release=_count(row["rows"], row["rows_known_from"]),
                feed=_count(row["feed_rows"], _FOOTER),
                gz_size=_number(row["gz_bytes"]),
                gz_sha256=row["gz_sha256"] or None,
                csv_size=_number(row["csv_bytes"]),
            )
            for row in csv.DictReader(lines)
        }


def _count(rows: str, known_from: str) -> PublishedCount | None:
    return PublishedCount(int(rows), known_from) if rows else None


def _number(text: str) -> int | None:
    return int(text) if text else None
