"""What a taxi is, stated once: one TOML file per taxi beside this module, read into the classes below.

Everything else (file names, tables, column types, descriptions, casts, checks, the trip's id, the sample) derives
from here; adding a taxi means adding one file. The meaning of the columns follows the data dictionaries that the
NYC Taxi and Limousine Commission publishes with its trip records.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Literal

from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month

Kind = Literal["integer", "decimal", "timestamp", "text"]


@dataclass(frozen=True)
class Column:
    """One column of a published file.

    Attributes:
        name: The name in the file's header, and in the tables.
        kind: What the text of a field means; each warehouse maps it to its own type. A ``decimal`` has up to ten
            digits before the point and four after it, a ``timestamp`` is local New York time to the second.
        description: What the value means, for table comments and the column schema.
        required: Whether an empty field is worth a check's error.
        minimum: The lowest value that makes sense; lower ones are counted by a check, never dropped.
        maximum: The highest value that makes sense; higher ones are counted by a check, never dropped.
        only_in_feed: Whether the release's files never have it, and the feed's may lack it; it is null then.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    only_in_feed: bool = False


@dataclass(frozen=True)
class Taxi:
    """One kind of taxi whose trips are published in monthly files.

    Attributes:
        name: ``yellow``, ``green``.
        title: The name as people say it.
        description: Who these taxis are.
        columns: The tables' columns: those of the release in the order of its header, then those only in the feed.
        identity: Names of the columns that identify a trip, in the order in which they enter its id.
        pickup: Name of the column that holds the start of the trip.
        dropoff: Name of the column that holds the end of the trip.
        first_month: The first month that the release holds.
        last_month: The last month that the release holds.
        color: The color in figures, as ``#rrggbb``; dark enough for white paper, light enough for a dark page.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    pickup: str
    dropoff: str
    first_month: Month
    last_month: Month
    color: str = "#0072b2"

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

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
        """The month that a table is of, by its name; None where it is not one of this taxi's monthly tables."""
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

    def has_month(self, month: Month, *, last: Month | None = None) -> bool:
        """Whether the taxi has a file of that month.

        Args:
            month: The month.
            last: The last month that there can be a file of; that of the release unless given.
        """
        return self.first_month <= month <= (last or self.last_month)

    def require_month(self, month: Month, *, last: Month | None = None) -> None:
        """Make sure that the taxi has a file of that month; see ``has_month``.

        Raises:
            UnknownTaxiOrMonthError: It has none.
        """
        if not self.has_month(month, last=last):
            until = last or self.last_month
            raise UnknownTaxiOrMonthError(
                f"{self.title} files go from {self.first_month} to {until}: {month} is not among them."
            )

    @property
    def header(self) -> tuple[str, ...]:
        """Column names of the release's files, in published order."""
        return tuple(column.name for column in self.release_columns)

    @property
    def release_columns(self) -> tuple[Column, ...]:
        """The columns of the release's files, in published order."""
        return tuple(column for column in self.columns if not column.only_in_feed)


@cache
def all_taxis() -> Mapping[str, Taxi]:
    """Every taxi by its name, in alphabetical order."""
    files = sorted(
        (file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    taxis = [_taxi(file.name.removesuffix(".toml"), tomllib.loads(file.read_text("utf-8"))) for file in files]
    return {taxi.name: taxi for taxi in taxis}


def get_taxi(name: str) -> Taxi:
    """The taxi of that name.

    Raises:
        UnknownTaxiOrMonthError: There is none.
    """
    taxis = all_taxis()
    if name not in taxis:
        raise UnknownTaxiOrMonthError(f"There is no taxi called “{name}”: choose from {', '.join(taxis)}.")
    return taxis[name]


def taxi_of_main_table(table: str) -> Taxi | None:
    """The taxi whose main table that is, if it is one's."""
    return next((taxi for taxi in all_taxis().values() if taxi.table == table), None)


def taxi_of_month_asset(table: str) -> Taxi | None:
    """The taxi whose monthly tables that asset stands for, if it is one's."""
    return next((taxi for taxi in all_taxis().values() if taxi.month_asset == table), None)


def _taxi(name: str, data: Mapping[str, Any]) -> Taxi:
    return Taxi(
        name=name,
        title=data["title"],
        description=data["description"],
        columns=tuple(_column(column) for column in data["columns"]),
        identity=tuple(data["identity"]),
        pickup=data["pickup"],
        dropoff=data["dropoff"],
        first_month=Month.parse(data["first_month"]),
        last_month=Month.parse(data["last_month"]),
        **({"color": data["color"]} if "color" in data else {}),
    )


def _column(data: Mapping[str, Any]) -> Column:
    bounds = {bound: Decimal(str(data[bound])) for bound in ("minimum", "maximum") if bound in data}
    return Column(**{**data, **bounds})
