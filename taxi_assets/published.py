"""What is known of the published files: row counts, sizes and hashes, each with how sure it is.

The figures stand in ``published_files.csv``. ``rows_known_from`` says where a row count comes from: ``counted``
(counted from the release's CSV), ``parquet`` (the official Parquet month has as many), ``derived`` (from yearly
sums) or ``unsourced``. Only a counted figure is sure enough to fail a month.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi


@dataclass(frozen=True)
class PublishedFile:
    """One file of the public CSV release.

    Attributes:
        rows: Its data rows.
        rows_known_from: Where that figure comes from, see the module's text.
        feed_rows: Rows of the same month in the official Parquet feed.
        gz_size: Compressed length in bytes, where known.
        gz_sha256: SHA-256 of the compressed file in hexadecimal, where known.
        csv_size: Uncompressed length in bytes, where known.
    """

    rows: int
    rows_known_from: str
    feed_rows: int | None
    gz_size: int | None
    gz_sha256: str | None
    csv_size: int | None

    @property
    def rows_are_sure(self) -> bool:
        """Whether the row count was counted from the file itself."""
        return self.rows_known_from == "counted"


def published_file(taxi: Taxi, month: Month) -> PublishedFile | None:
    """What is known of that taxi's file of that month, or None."""
    return _published_files().get((taxi.name, str(month)))


@cache
def _published_files() -> Mapping[tuple[str, str], PublishedFile]:
    with resources.files(__package__).joinpath("published_files.csv").open(encoding="utf-8") as lines:
        return {
            (row["taxi"], row["month"]): PublishedFile(
                rows=int(row["rows"]),
                rows_known_from=row["rows_known_from"],
                feed_rows=_number(row["feed_rows"]),
                gz_size=_number(row["gz_bytes"]),
                gz_sha256=row["gz_sha256"] or None,
                csv_size=_number(row["csv_bytes"]),
            )
            for row in csv.DictReader(lines)
        }


def _number(text: str) -> int | None:
    return int(text) if text else None
