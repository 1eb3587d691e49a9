"""The report in numbers: everything that a page draws or writes, queried from the warehouse."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from taxi_assets.errors import NoSuchTableError, WarehouseError
from taxi_assets.interruptions import interruptions
from taxi_assets.months import Month
from taxi_assets.published import PublishedCount, published_month
from taxi_assets.sql import render
from taxi_assets.taxis import Taxi, chosen_taxis
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.io_manager import Tables
from taxi_assets.warehouses.measures import rules_of
from taxi_assets.words import first_line
from taxi_assets.zones import ZONES_TABLE


@dataclass(frozen=True)
class Amounts:
    """Trips, and the US dollars that were charged and tipped for them. Refunds count as negative amounts."""

    trips: int = 0
    revenue: Decimal = Decimal(0)
    tips: Decimal = Decimal(0)

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.trips + other.trips, self.revenue + other.revenue, self.tips + other.tips)


@dataclass(frozen=True)
class Values:
    """The values of some trips: their sum, and how many there are, since a field may be empty."""

    total: Decimal = Decimal(0)
    count: int = 0

    def __add__(self, other: Values) -> Values:
        return Values(self.total + other.total, self.count + other.count)

    @property
    def mean(self) -> float | None:
        """The mean, where there is any value."""
        return float(self.total) / self.count if self.count else None


@dataclass(frozen=True)
class Typical:
    """The trips without any problem: fares in US dollars, distances in miles, durations in seconds."""

    fares: Values = Values()
    distances: Values = Values()
    durations: Values = Values()

    def __add__(self, other: Typical) -> Typical:
        return Typical(self.fares + other.fares, self.distances + other.distances, self.durations + other.durations)


@dataclass(frozen=True)
class TaxiSummary:
    """One taxi's trips in numbers.

    Attributes:
        taxi: The taxi.
        rows: Rows of each month's file, in the order of months.
        sample: The months that are the project's own sample.
        published: The published number of rows of each month's file, where it is known; not for sample months.
        total: All trips.
        days: Trips by the day of their pickup; pickups outside their file's month are left out.
        hours: Trips by weekday (1 is Monday) and hour of their pickup, with the same ones left out.
        zones: Trips by number of the pickup zone.
        problems: Rows with each problem, by the name of its rule. A row may have several.
        outside_month: Trips with a pickup outside their file's month.
        rows_with_problems: Rows of each month with one problem or more.
        typical: The trips without any problem.
    """

    taxi: Taxi
    rows: Mapping[Month, int]
    sample: Set[Month]
    published: Mapping[Month, PublishedCount]
    total: Amounts
    days: Mapping[date, Amounts]
    hours: Mapping[tuple[int, int], int]
    zones: Mapping[int, int]
    problems: Mapping[str, int]
    outside_month: int
    rows_with_problems: Mapping[Month, int]
    typical: Typical

    @property
    def calendar(self) -> list[date]:
        """Every day of the taxi's months, with or without trips."""
        return [day for month in self.rows for day in _days_of(month)]

    @property
    def weeks(self) -> Mapping[date, Amounts]:
        """Trips by the Monday of their pickup's week. The first and the last week may be incomplete."""
        weeks: dict[date, Amounts] = {}
        for day in self.calendar:
            monday = day - timedelta(days=day.weekday())
            weeks[monday] = weeks.get(monday, Amounts()) + self.days.get(day, Amounts())
        return weeks

    def has(self, meaning: str) -> bool:
        """Whether this taxi's trips have a column of that meaning."""
        return self.taxi.column_for(meaning) is not None


@dataclass(frozen=True)
class Summary:
    """What a page is made of.

    Attributes:
        taxis: The taxis that have trips.
        zone_names: Names of the zones by their numbers; empty where the warehouse has no zones.
    """

    taxis: Sequence[TaxiSummary]
    zone_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def months(self) -> list[Month]:
        """The months that any taxi has, in their order."""
        return sorted({month for taxi in self.taxis for month in taxi.rows})

    def taxis_with(self, meaning: str) -> Sequence[TaxiSummary]:
        """The taxis whose trips have a column of that meaning."""
        return [taxi for taxi in self.taxis if taxi.has(meaning)]

    @property
    def is_of_one_month(self) -> bool:
        """Whether there is only one month, so that months can't be compared."""
        return len(self.months) == 1


def summarize(
    tables: Tables, place: str, month: Month | None = None, *, sample: Mapping[str, Set[Month]] | None = None
) -> Summary:
    """Query a warehouse for the trips of a month or of all months.

    Args:
        tables: The warehouse.
        place: Its name, first part of its asset keys, for messages.
        month: The month, or None for all.
        sample: By the name of a taxi, the months that are the project's own sample.

    Raises:
        WarehouseError: There are no trips, or they can't be read.
    """
    known = sample or {}
    found = (_summarize_taxi(tables, taxi, month, known.get(taxi.name, set())) for taxi in chosen_taxis().values())
    taxis = [summary for summary in found if summary is not None]
    if not taxis:
        what = f"trips of {month}" if month else "trips"
        first = next(iter(chosen_taxis().values()))
        raise WarehouseError(f"There are no {what} to report on: materialize {place}/{first.table} first.")
    return Summary(taxis, _zone_names(tables))


def _summarize_taxi(tables: Tables, taxi: Taxi, month: Month | None, sample: Set[Month]) -> TaxiSummary | None:
    try:
        trips = tables.read(taxi.table, [month] if month else None)
    except NoSuchTableError:
        return None
    rules = rules_of(taxi, DIALECT)
    rows = _query(trips, taxi.table, render(__package__, "summarize_trips.sql", taxi=taxi, rules=rules))
    grouped: dict[str, list[dict[str, Any]]] = {"day": [], "hour": [], "zone": [], "problems": []}
    for row in rows:
        grouped[row["grouping"]].append(row)
    if not grouped["problems"]:
        return None
    by_month: Counter[Month] = Counter()
    published: dict[Month, PublishedCount] = {}
    bad_by_month: Counter[Month] = Counter()
    by_problem: Counter[str] = Counter()
    for row in sorted(grouped["problems"], key=lambda row: row["file_month"]):
        of = Month(row["file_month"].year, row["file_month"].month)
        by_month[of] += row["trips"]
        count = published_month(taxi, of).count_of(row["filename"])
        if count is not None and of not in sample:
            published[of] = count
        bad_by_month[of] += row["trips"] if row["problems"] else 0
        for bit, rule in enumerate(rules):
            if row["problems"] & 2**bit:
                by_problem[rule.name] += row["trips"]
    return TaxiSummary(
        taxi=taxi,
        rows=by_month,
        sample=sample & by_month.keys(),
        published=published,
        total=sum((_amounts(row) for row in grouped["problems"]), start=Amounts()),
        days={row["day"]: _amounts(row) for row in grouped["day"] if row["day"]},
        hours={(row["weekday"], row["hour"]): row["trips"] for row in grouped["hour"] if row["weekday"]},
        zones={row["zone"]: row["trips"] for row in grouped["zone"] if row["zone"] is not None},
        # In the same order whatever order the rows came in.
        problems={rule.name: by_problem[rule.name] for rule in rules if by_problem[rule.name]},
        outside_month=sum(by_problem[rule.name] for rule in rules if rule.group == "outside"),
        rows_with_problems=bad_by_month,
        typical=sum((_typical(row) for row in grouped["problems"] if not row["problems"]), start=Typical()),
    )


def _query(trips: duckdb.DuckDBPyRelation, table: str, statement: str) -> Iterator[dict[str, Any]]:
    try:
        with interruptions():  # also of the query's preparation, which reads types and may count rows
            result = trips.query("trips", statement)
            if result is None:  # DuckDB's answer to statements that are not queries
                return
            names = result.columns
            rows = result.fetchall()
        yield from (dict(zip(names, row, strict=True)) for row in rows)
    except duckdb.Error as error:
        cause = first_line(error)
        raise WarehouseError(f"The trips of {table} could not be read to their end ({cause}): run again.") from error


def _zone_names(tables: Tables) -> Mapping[int, str]:
    try:
        zones = tables.read(ZONES_TABLE, None)
    except NoSuchTableError:
        return {}
    rows = _query(zones, ZONES_TABLE, 'SELECT "LocationID" AS "number", "Zone" AS "name" FROM "trips"')
    return {row["number"]: row["name"] for row in rows if row["name"]}


def _amounts(row: Mapping[str, Any]) -> Amounts:
    return Amounts(row["trips"], row["revenue"] or Decimal(0), row["tips"] or Decimal(0))


def _typical(row: Mapping[str, Any]) -> Typical:
    return Typical(
        fares=Values(Decimal(row["fare"] or 0), row["fares"]),
        distances=Values(Decimal(row["miles"] or 0), row["distances"]),
        durations=Values(Decimal(row["seconds"] or 0), row["durations"]),
    )


def _days_of(month: Month) -> list[date]:
    days = monthrange(month.year, month.number)[1]
    return [month.first_day.replace(day=number) for number in range(1, days + 1)]
