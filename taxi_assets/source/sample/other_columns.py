"""Values for columns of which the sample knows only the kind and the limits: codes, numbers, flags and times."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from math import ceil, floor
from typing import Final

import numpy as np

from taxi_assets.source.sample.draws import Draws, Integers, Text
from taxi_assets.source.sample.trips import NOTHING
from taxi_assets.taxis import Column, Taxi

_EMPTY_PER_MILLE: Final = 100  # of the values that may be empty
_LONGEST_AHEAD: Final = 900  # seconds from such a timestamp to the pickup
_CODES: Final = 800
_RANGE: Final = 100  # from the lowest number to the highest one, unless the column's limits are narrower


def other_columns(taxi: Taxi, chunk: str, pickup: Integers) -> dict[str, Integers]:
    """Values of the columns without a meaning, by the columns' names, for trips that begin at the given times.

    Timestamps are in seconds since 1970, some minutes before the pickup. Any other value is a place in
    ``possible_texts``.

    Args:
        taxi: The taxi.
        chunk: Name of the rows, which the values depend on.
        pickup: When the trips begin, in seconds since 1970.
    """
    return {
        column.name: _values(column, Draws(f"{chunk}/{column.name}", len(pickup)), pickup)
        for column in taxi.release_columns
        if column.meaning is None
    }


def other_values(column: Column, values: Integers) -> Integers:
    """For each value of a column that is not a timestamp, another one that it can have."""
    return (values + 1) % max(len(possible_texts(column)) - 1, 1)


@cache
def possible_texts(column: Column) -> Text:
    """The texts that a field of such a column can have. The last one is empty, so that the index -1 finds it."""
    return np.array([*dict.fromkeys(_texts(column)), ""], "S")


def _texts(column: Column) -> list[str]:
    if column.examples:
        return list(column.examples)
    is_flag = column.name.lower().endswith("flag")
    if column.kind == "text":
        return ["N", "Y"] if is_flag else [f"B{code:05d}" for code in range(1, _CODES + 1)]
    lowest, highest = (Decimal(0), Decimal(1)) if is_flag else _limits(column)
    if column.kind == "integer":
        return [str(number) for number in range(ceil(lowest), floor(highest) + 1)]
    hundredths = range(ceil(100 * lowest), floor(100 * highest) + 1, 7)
    return [f"{(Decimal(number) / 100).normalize():f}" for number in hundredths]


def _limits(column: Column) -> tuple[Decimal, Decimal]:
    lowest = column.minimum or Decimal(0)
    if column.minimum is None and column.maximum is not None and column.maximum < 0:
        lowest = column.maximum - _RANGE
    highest = lowest + _RANGE
    return lowest, highest if column.maximum is None else min(highest, column.maximum)


def _values(column: Column, draws: Draws, pickup: Integers) -> Integers:
    count = len(possible_texts(column)) - 1
    if column.kind == "timestamp":
        values, empty = pickup - draws.below(_LONGEST_AHEAD), NOTHING
    else:
        # Some are far more frequent than others.
        values, empty = np.minimum(draws.below(count), draws.below(count)), -1
    return values if column.required else np.where(draws.chance(_EMPTY_PER_MILLE), empty, values)
