"""The numbers that are measured about a month: the rules of the checks and of the report, as conditions in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from taxi_assets.months import Month
from taxi_assets.taxis import Column, Taxi
from taxi_assets.warehouses.dialect import Dialect

Group = Literal["outside", "missing", "implausible"]
"""Which check counts a rule's rows: pickups outside the month, required values that are missing, implausible values."""


@dataclass(frozen=True)
class Rule:
    """One way in which a row can be odd.

    Attributes:
        name: What is odd, as it is named in checks and figures: ``fare_amount below 0``.
        group: The group of rules whose rows one check counts.
        condition: The condition on a row of the taxi's tables, in SQL; null counts as not odd.
    """

    name: str
    group: Group
    condition: str


def rules_of(taxi: Taxi, dialect: Dialect, month: Month | None = None) -> Sequence[Rule]:
    """Every rule for a taxi's rows, in an order that never changes.

    Args:
        taxi: The taxi.
        dialect: The warehouse's SQL.
        month: The month that all rows belong to; None if they belong to several months.
    """
    pickup, dropoff = dialect.column(taxi.pickup), dialect.column(taxi.dropoff)
    file_month = dialect.column("file_month")
    start = dialect.midnight(month.first_day) if month else file_month
    end = dialect.midnight(month.next().first_day) if month else f"{file_month} + INTERVAL '1' MONTH"
    return [
        Rule("pickup outside the month", "outside", f"{pickup} < {start} OR {pickup} >= {end}"),
        Rule("dropoff before pickup", "implausible", f"{dropoff} < {pickup}"),
        Rule("longer than a day", "implausible", f"{dropoff} > {dialect.one_day_later(pickup)}"),
        *(rule for column in taxi.columns for rule in _rules_of_column(column, dialect.column(column.name))),
    ]


def limits_in_feed(taxi: Taxi) -> Mapping[str, Decimal]:
    """The share of a feed file's rows, from 0 to 1, that may fulfil a rule before a check warns, by the rule's name.

    Only rules whose share is stated in the taxi's definition are included.
    """
    return {
        _below_minimum(column): column.below_minimum_in_feed
        for column in taxi.columns
        if column.below_minimum_in_feed is not None
    }


def _rules_of_column(column: Column, name: str) -> Sequence[Rule]:
    rules = []
    if column.required:
        rules.append(Rule(f"missing {column.name}", "missing", f"{name} IS NULL"))
    if column.minimum is not None:
        rules.append(Rule(_below_minimum(column), "implausible", f"{name} < {column.minimum}"))
    if column.maximum is not None:
        rules.append(Rule(f"{column.name} above {column.maximum:,}", "implausible", f"{name} > {column.maximum}"))
    return rules


def _below_minimum(column: Column) -> str:
    return f"{column.name} below {column.minimum:,}"


@dataclass(frozen=True)
class MonthProfile:
    """The numbers about one month in one table, which all checks judge. The warehouse measures them in one query.

    Attributes:
        rows: Rows of that month's file.
        repeated_ids: Rows minus distinct ids, which is zero if no id is repeated.
        id_digest: Sum of the first 60 bits of all ids: the same for the same set of ids, whatever their order.
        odd_rows: How many rows fulfil each rule, by its group and name.
        sums: Exact sum of each decimal column; null if the column is empty.
    """

    rows: int
    repeated_ids: int
    id_digest: int
    odd_rows: Mapping[Group, Mapping[str, int]]
    sums: Mapping[str, Decimal | None]


def profile_statement(taxi: Taxi, dialect: Dialect, month: Month, table: str) -> str:
    """The query that measures a month in a table, given by its quoted name; ``read_profile`` reads its row."""
    return dialect.render(
        __package__,
        "profile_month.sql",
        dialect=dialect,
        table=table,
        month=month,
        rules=rules_of(taxi, dialect, month),
        summed=_summed(taxi),
    )


def read_profile(taxi: Taxi, dialect: Dialect, row: Sequence[Any]) -> MonthProfile:
    """The profile in the one row that the query of ``profile_statement`` returns, by the position of its values."""
    values = iter(row)
    rows, repeated_ids, id_digest = (int(next(values)) for _ in range(3))
    odd_rows: dict[Group, dict[str, int]] = {}
    for rule in rules_of(taxi, dialect):
        odd_rows.setdefault(rule.group, {})[rule.name] = next(values)
    return MonthProfile(rows, repeated_ids, id_digest, odd_rows, {name: next(values) for name in _summed(taxi)})


def _summed(taxi: Taxi) -> Sequence[str]:
    return [column.name for column in taxi.columns if column.kind == "decimal"]
