"""What counts as a problem of a row: the same rules as the checks', each as a condition in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from taxi_assets.sql import identifier
from taxi_assets.taxis import Taxi


@dataclass(frozen=True)
class Problem:
    """One way in which a row can be wrong.

    Attributes:
        title: What is wrong, for a figure's axis.
        condition: The condition over a row of the taxi's tables; null counts as no problem.
    """

    title: str
    condition: str


def problems_of(taxi: Taxi) -> list[Problem]:
    """Every problem that a row of that taxi can have, in the order of the bits that stand for them."""
    pickup, dropoff = identifier(taxi.pickup), identifier(taxi.dropoff)
    problems = [
        Problem(
            "pickup outside the month",
            f'{pickup} < "file_month" OR {pickup} >= "file_month" + INTERVAL 1 MONTH',
        ),
        Problem("dropoff before pickup", f"{dropoff} < {pickup}"),
        Problem("longer than a day", f"{dropoff} > {pickup} + INTERVAL 24 HOUR"),
    ]
    for column in taxi.columns:
        name = identifier(column.name)
        if column.required:
            problems.append(Problem(f"no {column.name}", f"{name} IS NULL"))
        if column.minimum is not None:
            problems.append(Problem(f"{column.name} below {_plain(column.minimum)}", f"{name} < {column.minimum}"))
        if column.maximum is not None:
            problems.append(Problem(f"{column.name} above {_plain(column.maximum)}", f"{name} > {column.maximum}"))
    return problems


def _plain(number: Decimal) -> str:
    return f"{number:,}"
