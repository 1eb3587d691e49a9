"""The definition of a taxi, as it is read from its TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from taxi_assets import settings
from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month, months_from

Kind = Literal["integer", "decimal", "timestamp", "text"]

MEANINGS: Final[Mapping[str, Kind]] = {
    "vendor": "integer",
    "pickup": "timestamp",
    "dropoff": "timestamp",
    "pickup_zone": "integer",
    "dropoff_zone": "integer",
    "passengers": "integer",
    "distance": "decimal",
    "duration": "integer",
    "rate_code": "integer",
    "stored_flag": "text",
    "payment_type": "integer",
    "trip_type": "integer",
    "fare": "decimal",
    "extra": "decimal",
    "mta_tax": "decimal",
    "tip": "decimal",
    "tolls": "decimal",
    "ehail_fee": "decimal",
    "improvement_surcharge": "decimal",
    "congestion_surcharge": "decimal",
    "total": "decimal",
}
"""The meanings by which checks, report and sample find a column, and the kind that such a column has."""


ADDED_COLUMNS: Final = ("unique_row_id", "filename", "file_month")
"""The columns that every table has before those of the file; they are never empty."""


@dataclass(frozen=True)
class Column:
    """One column of a published file.

    Attributes:
        name: The name in the file's header, and in the tables. Names are compared without regard to case.
        kind: How the text of a field is read; each warehouse maps it to its own type. A ``decimal`` has up to ten
            digits before the point and four after it, a ``timestamp`` is local New York time to the second.
        description: What the value means, for table comments and the column schema.
        meaning: Which of ``MEANINGS`` the column has, whatever its name; None if it has none of them.
        required: Whether an empty field fails a check.
        minimum: The lowest plausible value. A check counts lower ones; they are never dropped.
        maximum: The highest plausible value. A check counts higher ones; they are never dropped.
        below_minimum_in_feed: The share of a feed file's rows, from 0 to 1, that may be below the minimum before a
            check warns; None for the share that holds for all kinds of implausible values.
        only_in_feed: Whether the column is missing from the release and may be missing from a file of the feed. It is
            null for trips of such a file.
        examples: Texts for the sample, the most frequent one first; without any, text is like a base's licence number.
    """

    name: str
    kind: Kind
    description: str
    meaning: str | None = None
    required: bool = False
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    below_minimum_in_feed: Decimal | None = None
    only_in_feed: bool = False
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxi:
    """One kind of taxi whose trips are published in monthly files.

    Attributes:
        name: ``yellow``, ``green``.
        title: The name in texts for people: ``Yellow taxi``.
        description: What these taxis are, as a sentence.
        columns: The tables' columns: those of the release in the order of its header, then those only in the feed.
        identity: Names of the columns that identify a trip, in the order in which they enter its id.
        first_month: The first month of the release; of the sample too. What looks for new months begins with it.
        last_month: The last month of the release; of the sample too.
        first_feed_month: The first month whose file in the feed has today's columns.
        in_release: Whether the release has files of these taxis.
        color: The color in figures, as ``#rrggbb``; dark enough for white paper, light enough for a dark page.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    first_month: Month
    last_month: Month
    first_feed_month: Month
    in_release: bool = True
    color: str = "#0072b2"

    def column(self, name: str) -> Column:
        """The column of that name, in any case."""
        return next(column for column in self.columns if column.name.lower() == name.lower())

    def column_for(self, meaning: str) -> Column | None:
        """The column with that meaning, one of ``MEANINGS``; None if the taxi has no such column."""
        return next((column for column in self.columns if column.meaning == meaning), None)

    @property
    def pickup(self) -> str:
        """Name of the column that holds the start of the trip."""
        return self._name_for("pickup")

    @property
    def dropoff(self) -> str:
        """Name of the column that holds the end of the trip."""
        return self._name_for("dropoff")

    @property
    def identity_columns(self) -> tuple[Column, ...]:
        """The columns that identify a trip, in the order in which they enter its id."""
        return tuple(self.column(name) for name in self.identity)

    @property
    def table(self) -> str:
        """Name of the main table, and last part of the asset keys."""
        return f"{self.name}_tripdata"

    @property
    def month_asset(self) -> str:
        """Last part of the keys of the monthly tables' assets."""
        return f"{self.table}_month"

    def month_table(self, month: Month) -> str:
        """Name of one month's table."""
        return f"{self.table}_{month.suffix}"

    def month_of_table(self, table: str) -> Month | None:
        """The month of a monthly table, by the table's name; None if it is not one of this taxi's."""
        prefix, _, suffix = table.rpartition(f"{self.table}_")
        return Month.of_suffix(suffix) if suffix and not prefix else None

    def csv_name(self, month: Month) -> str:
        """The value of the tables' ``filename`` column for a month of the release, as in the course."""
        return f"{self.table}_{month}.csv"

    def file_path(self, month: Month) -> str:
        """Path of the release's file below a source's base address, and in the landing zone."""
        return f"{self.name}/{self.csv_name(month)}.gz"

    def feed_path(self, month: Month) -> str:
        """Path of the feed's file in the landing zone."""
        return f"{self.name}/{self.table}_{month}.parquet"

    def is_from_feed(self, month: Month, source: str) -> bool:
        """Whether a source takes the month's file from the feed.

        Args:
            month: The month.
            source: What the source is called in TAXI_SOURCE.
        """
        if source == settings.RELEASE_AND_FEED_NAME:
            return not (self.in_release and self.first_month <= month <= self.last_month)
        return source == settings.FEED_NAME

    def months_in(self, source: str, last_ended: Month) -> Sequence[Month]:
        """The months of which a source may have a file, in order.

        Args:
            source: What the source is called in TAXI_SOURCE.
            last_ended: The last month that has ended, which is the last one of a source that continues.
        """
        if source in settings.CONTINUING_SOURCES:
            return months_from(self.first_feed_month, last_ended)
        if source == settings.RELEASE_NAME and not self.in_release:
            return []
        return months_from(self.first_month, self.last_month)

    def require_month(self, month: Month, source: str, last_ended: Month) -> None:
        """Make sure that a source may have a file of that month; see ``months_in``.

        Raises:
            UnknownTaxiOrMonthError: It can't have one.
        """
        months = self.months_in(source, last_ended)
        if month in months:
            return
        if not months:
            raise UnknownTaxiOrMonthError(
                f"{self.title} trips are not in the release: set {settings.SOURCE} to {settings.FEED_NAME} or "
                f"{settings.RELEASE_AND_FEED_NAME}, which have them since {self.first_feed_month}."
            )
        is_early = month < months[0]
        if source not in settings.CONTINUING_SOURCES:
            which = "earlier" if is_early else "later"
            remedy = f", or set {settings.SOURCE}={settings.RELEASE_AND_FEED_NAME} for {which} ones"
        else:
            remedy = ", since earlier files do not have today's columns" if is_early else ""
        raise UnknownTaxiOrMonthError(
            f"{month} is not among the months of {self.title}: choose from {months[0]} to {months[-1]}{remedy}."
        )

    @property
    def header(self) -> tuple[str, ...]:
        """Column names of the release's files, in published order."""
        return tuple(column.name for column in self.release_columns)

    @property
    def release_columns(self) -> tuple[Column, ...]:
        """The columns of the release's files, in published order."""
        return tuple(column for column in self.columns if not column.only_in_feed)

    def _name_for(self, meaning: str) -> str:
        return next(column.name for column in self.columns if column.meaning == meaning)
