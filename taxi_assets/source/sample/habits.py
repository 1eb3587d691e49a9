"""What distinguishes the sample's taxis and months from one another: where and when people ride, and at what rates."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from taxi_assets.months import Month
from taxi_assets.source.sample.draws import Draws, Integers, shuffled, weighted
from taxi_assets.source.sample.zones import zones_served_as
from taxi_assets.taxis import Taxi

HOUR: Final = 3600  # in seconds
DAY: Final = 24 * HOUR
EPOCH: Final = date(1970, 1, 1)

_SURCHARGE_BEGAN: Final = Month(2019, 2)  # the state's congestion surcharge
_UNMETERED_SINCE: Final = Month(2020, 7)  # since then many liveries report trips without a meter's values
_TOLLS: Final = {Month(2019, 1): 576, Month(2019, 4): 612, Month(2021, 4): 655}  # of bridges and tunnels, in cents

# Trips per hour of the day, relative to one another.
_WEEKDAY: Final = (18, 10, 6, 4, 5, 9, 23, 41, 51, 48, 46, 48, 51, 51, 54, 53, 50, 55, 66, 65, 58, 55, 48, 33)
_WEEKEND: Final = (49, 40, 31, 22, 14, 8, 10, 14, 22, 32, 41, 48, 53, 53, 53, 53, 51, 53, 58, 54, 47, 46, 46, 41)
_SATURDAY: Final = 5

_PASSENGERS: Final = weighted({1: 720, 2: 150, 3: 38, 4: 19, 5: 34, 6: 23, 0: 16})
_PASSENGERS_OF_LIVERIES: Final = weighted({1: 868, 2: 62, 3: 12, 4: 4, 5: 28, 6: 21, 0: 5})


class Habits:
    """How often things happen on a trip, and at what prices, as far as this depends on the taxi and the month."""

    def __init__(self, taxi: Taxi, month: Month) -> None:
        # Liveries can be dispatched as well as hailed, so their files alone have a trip type.
        self.liveries = taxi.column_for("trip_type") is not None
        self.unmetered_per_mille = 400 if self.liveries and month >= _UNMETERED_SINCE else 10
        self.zero_distance_per_mille = 38 if self.liveries else 10
        self.card_per_mille = 570 if self.liveries else 740
        self.dispatched_per_mille = 32 if self.liveries else 5
        self.passengers = _PASSENGERS_OF_LIVERIES if self.liveries else _PASSENGERS
        self.surcharge = 275 if self.liveries else 250
        self.surcharge_is_due = month >= _SURCHARGE_BEGAN
        self.toll = [toll for since, toll in _TOLLS.items() if since <= max(month, min(_TOLLS))][-1]
        if self.liveries:
            self.pickup_zones = _popular_zones(taxi, boro=990, other=10)
            self.dropoff_zones = _popular_zones(taxi, boro=830, centre=140, airports=20, newark=1, other=9)
        else:
            self.pickup_zones = _popular_zones(taxi, centre=900, boro=45, airports=45, other=10)
            self.dropoff_zones = _popular_zones(taxi, centre=870, boro=102, airports=18, newark=2, other=8)


class Calendar:
    """The month's hours and how many of its trips begin in each.

    Attributes:
        start: The month's first second, in seconds since 1970.
        end: The next month's first second.
    """

    def __init__(self, month: Month, rows: int) -> None:
        self.start = (month.first_day - EPOCH).days * DAY
        self.end = (month.next().first_day - EPOCH).days * DAY
        weekdays = [(month.first_day.weekday() + day) % 7 for day in range((self.end - self.start) // DAY)]
        hours = [_WEEKEND if weekday >= _SATURDAY else _WEEKDAY for weekday in weekdays]
        self._demand_until = np.cumsum(np.array(hours, np.int64).ravel())
        self._rows = rows

    def pickups(self, places: Integers, draws: Draws) -> Integers:
        """Pickup times of the file's rows at those places: ordered by hour, in no order within an hour."""
        demand = places * self._demand_until[-1] // self._rows
        hours: Integers = np.searchsorted(self._demand_until, demand, side="right").astype(np.int64)
        return self.start + hours * HOUR + draws.below(HOUR)


def _popular_zones(
    taxi: Taxi, *, centre: int = 0, boro: int = 0, airports: int = 0, newark: int = 0, other: int = 0
) -> Integers:
    """A table to pick zones from: each kind has its share in a thousand, and a few zones have most of that."""
    weights: dict[int, int] = {}
    shares = {"Yellow Zone": centre, "Boro Zone": boro, "Airports": airports, "EWR": newark, "N/A": other}
    for service_zone, share in shares.items():
        zones = shuffled(taxi.name, zones_served_as(service_zone))
        popularity = [10_000 // (rank + 4) for rank in range(len(zones))]
        weights |= {zone: share * 20 * part // sum(popularity) for zone, part in zip(zones, popularity, strict=True)}
    return weighted(weights)
