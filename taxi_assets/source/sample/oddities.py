"""Oddities of real files, which reports, checks and ids have to cope with, in the sample's trips."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from taxi_assets.source.sample.draws import Draws, Integers, Mask
from taxi_assets.source.sample.habits import DAY, EPOCH, Calendar
from taxi_assets.source.sample.other_columns import other_values
from taxi_assets.source.sample.trips import CASH, DISPUTE, NO_CHARGE, NOTHING, Trips
from taxi_assets.taxis import MEANINGS, Taxi

# The first place of each kind among a file's rows, and the number of rows after which it comes again. Every file of a
# hundred rows has all of them. Places are odd numbers, so that the row before is an ordinary one and can be repeated.
_PLACES: Final = {
    "other month": (11, 400),
    "other year": (21, 800),
    "huge distance": (31, 800),
    "backwards": (41, 400),
    "almost a day": (51, 400),
    "negative fare": (61, 400),
    "lookalike": (71, 1600),
    "identical": (81, 3200),
}
_OTHER_YEAR: Final = date(2009, 1, 1)
_UNREPORTED_PER_MILLE: Final = 50
_AMOUNTS: Final = [meaning for meaning, kind in MEANINGS.items() if kind == "decimal" and meaning != "distance"]


class Oddities:
    """Which of the file's rows at the given places are odd, and in which way."""

    def __init__(self, places: Integers) -> None:
        planted = {kind: places % every == first for kind, (first, every) in _PLACES.items()}
        self.other_month = planted["other month"]
        self.other_year = planted["other year"]
        self.huge_distance = planted["huge distance"]
        self.backwards = planted["backwards"]
        self.almost_a_day = planted["almost a day"]
        self.negative_fare = planted["negative fare"]
        self.lookalike = planted["lookalike"]
        self.identical = planted["identical"]
        self.may_be_refund: Mask = (places % 2 == 1) & ~np.logical_or.reduce(list(planted.values()))


def plant_oddities(taxi: Taxi, trips: Trips, odd: Oddities, calendar: Calendar, draws: Draws) -> None:
    """Change the rows that are to be odd, in place, as far as the taxi has columns for it."""
    _shift_in_time(trips, odd, calendar, draws)
    _change_values(trips, odd, draws)
    if any(taxi.column_for(meaning) for meaning in _AMOUNTS):
        _refund_some(trips, odd, draws)
    _leave_some_empty(taxi, trips, draws)
    _repeat_some(taxi, trips, odd)


def _shift_in_time(trips: Trips, odd: Oddities, calendar: Calendar, draws: Draws) -> None:
    seconds = trips.dropoff - trips.pickup
    seconds = np.where(odd.backwards, np.minimum(300 - draws.below(1200), 0), seconds)
    seconds = np.where(odd.almost_a_day, DAY - 1 - draws.below(1800), seconds)
    time_of_day = trips.pickup % DAY
    days = draws.below(40)
    other_month = np.where(draws.chance(500), calendar.start - (days + 1) * DAY, calendar.end + days * DAY)
    trips.pickup = np.where(odd.other_month, other_month + time_of_day, trips.pickup)
    trips.pickup = np.where(odd.other_year, (_OTHER_YEAR - EPOCH).days * DAY + time_of_day, trips.pickup)
    trips.dropoff = trips.pickup + seconds


def _change_values(trips: Trips, odd: Oddities, draws: Draws) -> None:
    trips.distance = np.where(odd.huge_distance, 10_000_000 + draws.below(10_000_000), trips.distance)
    change = np.where(odd.negative_fare, -2 * trips.fare, 0)
    trips.fare += change
    trips.total += change


def _refund_some(trips: Trips, odd: Oddities, draws: Draws) -> None:
    """Refund some trips that were paid in cash: the next row is the same trip with negative amounts."""
    refund = np.flatnonzero(odd.may_be_refund & draws.chance(20))
    refund = refund[trips.payment_type[refund - 1] == CASH]
    _copy_rows(trips, refund - 1, refund)
    for meaning in _AMOUNTS:
        amount = getattr(trips, meaning)
        amount[refund] = np.where(amount[refund] == NOTHING, NOTHING, -amount[refund])
    trips.payment_type[refund] = np.where(draws.chance(250)[refund], DISPUTE, NO_CHARGE)


def _leave_some_empty(taxi: Taxi, trips: Trips, draws: Draws) -> None:
    """Leave fields empty that not every company reports."""
    for meaning in ("dropoff", "pickup_zone", "dropoff_zone"):
        column = taxi.column_for(meaning)
        if column is not None and not column.required:
            getattr(trips, meaning)[draws.chance(_UNREPORTED_PER_MILLE)] = NOTHING


def _repeat_some(taxi: Taxi, trips: Trips, odd: Oddities) -> None:
    """Repeat rows: some wholly, some with other values in columns that are not part of a trip's id."""
    identical = np.flatnonzero(odd.identical)
    _copy_rows(trips, identical - 1, identical)
    lookalike = np.flatnonzero(odd.lookalike)
    _copy_rows(trips, lookalike - 1, lookalike)
    for column in taxi.release_columns:
        if column.name in taxi.identity:
            continue
        if column.meaning in ("tip", "total"):
            getattr(trips, column.meaning)[lookalike] += 100
        elif column.meaning is None and column.kind != "timestamp":
            values = trips.other[column.name]
            values[lookalike] = other_values(column, values[lookalike])


def _copy_rows(trips: Trips, origin: Integers, target: Integers) -> None:
    for values in trips.all_columns():
        values[target] = values[origin]
