"""What the sample's trips are like: routes, times, fares and tips that go together.

All values are integers: times in seconds since 1970 as New York's clocks show them, distances in hundredths of a
mile, amounts in cents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from taxi_assets.source.sample.draws import Draws, Integers, Mask, curve, weighted
from taxi_assets.source.sample.habits import DAY, HOUR, Habits
from taxi_assets.source.sample.zones import JFK, LAGUARDIA, NEWARK, zones_served_as
from taxi_assets.taxis import MEANINGS
from taxi_assets.zones import ZONE_COUNT

NOTHING: Final = -(10**9)  # stands for an empty field
CARD, CASH, NO_CHARGE, DISPUTE = 1, 2, 3, 4

_STANDARD_RATE, _JFK_RATE, _NEWARK_RATE, _OUT_OF_TOWN_RATE, _NEGOTIATED_RATE, _UNKNOWN_RATE = 1, 2, 3, 4, 5, 99
_HAILED, _DISPATCHED = 1, 2
_CREATIVE_MOBILE, _VERIFONE = 1, 2

_RUSH_BEGINS, _RUSH_ENDS, _NIGHT_ENDS = 16, 20, 6  # hours; the night begins when the rush ends
_SATURDAY: Final = 5
_WEEKDAY_OF_EPOCH: Final = 3
_TOLL_DISTANCE: Final = 800  # longer trips tend to cross a bridge

# The traffic's speed by hour, in tenths of a mile per hour.
_SPEED: Final = np.array(
    (145, 150, 155, 170, 185, 190, 155, 115, 95, 95, 98, 98, 95, 98, 95, 93, 93, 90, 95, 105, 120, 130, 135, 140)
)
_TIP_PERCENT: Final = weighted({0: 7, 10: 6, 15: 9, 18: 6, 20: 46, 22: 8, 25: 11, 30: 7})
_DISTANCES: Final = curve(
    {0: 10, 500: 45, 1000: 60, 2500: 97, 5000: 162, 7500: 290, 9000: 560, 9900: 1150, 10000: 2400}
)
_UNMETERED_DISTANCES: Final = curve(
    {0: 1, 300: 20, 1000: 198, 2500: 411, 5000: 825, 7500: 1397, 9900: 2379, 10000: 4600}
)
_UNMETERED_FARES: Final = curve(
    {0: 700, 100: 768, 1000: 1455, 5000: 2321, 7500: 3229, 9000: 4493, 9900: 6656, 10000: 9700}
)


@dataclass
class Trips:
    """Consecutive rows of a file: one array for each meaning that a column can have, under the meaning's name.

    Attributes:
        stored_flag: 0 for N and 1 for Y.
        other: Values of the taxi's columns without a meaning, by the columns' names; see ``other_columns``.
    """

    vendor: Integers
    pickup: Integers
    dropoff: Integers
    pickup_zone: Integers
    dropoff_zone: Integers
    passengers: Integers
    distance: Integers
    rate_code: Integers
    stored_flag: Integers
    payment_type: Integers
    trip_type: Integers
    fare: Integers
    extra: Integers
    mta_tax: Integers
    tip: Integers
    tolls: Integers
    ehail_fee: Integers
    improvement_surcharge: Integers
    congestion_surcharge: Integers
    total: Integers
    other: dict[str, Integers] = field(default_factory=dict)

    @property
    def duration(self) -> Integers:
        """Seconds from the pickup to the dropoff."""
        return np.where(self.dropoff == NOTHING, NOTHING, self.dropoff - self.pickup)

    def all_columns(self) -> Iterator[Integers]:
        """The values of every column."""
        yield from (getattr(self, meaning) for meaning in MEANINGS)
        yield from self.other.values()


@dataclass
class _Routes:
    """Where trips go, and the rate that follows from it."""

    pickup_zone: Integers
    dropoff_zone: Integers
    dispatched: Mask
    rate: Integers
    in_centre: Mask


def ordinary_trips(habits: Habits, pickup: Integers, unmetered: Mask, draws: Draws) -> Trips:
    """Trips that begin at the given times. Unmetered ones have most fields empty, and fares agreed upon in advance."""
    vendor = np.where(draws.chance(340), _CREATIVE_MOBILE, _VERIFONE)
    routes = _routes(habits, draws)
    distance = np.where(unmetered, draws.pick(_UNMETERED_DISTANCES), _metered_distances(habits, routes, vendor, draws))
    pickup = np.where(unmetered, pickup - pickup % 60, pickup)
    seconds = _durations(pickup, distance, draws)
    seconds = np.where(unmetered, seconds + 60 - seconds % 60, seconds)

    fare = np.where(unmetered, draws.pick(_UNMETERED_FARES), _metered_fares(distance, seconds, routes.rate, draws))
    extra = _extras(pickup, routes.rate)
    mta_tax = np.where((routes.rate == _NEWARK_RATE) | (routes.rate == _NEGOTIATED_RATE), 0, 50)
    tolls = _tolls(habits, distance, routes.rate, draws)
    improvement = np.full_like(fare, 30)
    congestion = _congestion(habits, routes, draws)
    surcharge = np.maximum(congestion, 0)
    due = fare + extra + mta_tax + tolls + improvement + surcharge
    payment = _payments(habits, draws)
    tip = np.where(payment == CARD, _tips(due, draws), 0)
    # One company's meters show the congestion surcharge twice: in its own field, and within the extras.
    extra += np.where(vendor == _CREATIVE_MOBILE, surcharge, 0)

    trips = Trips(
        vendor=vendor,
        pickup=pickup,
        dropoff=pickup + seconds,
        pickup_zone=routes.pickup_zone,
        dropoff_zone=routes.dropoff_zone,
        passengers=draws.pick(habits.passengers),
        distance=distance,
        rate_code=routes.rate,
        stored_flag=draws.chance(8).astype(np.int64),
        payment_type=payment,
        trip_type=np.where(routes.dispatched, _DISPATCHED, _HAILED),
        fare=fare,
        extra=extra,
        mta_tax=mta_tax,
        tip=tip,
        tolls=tolls,
        ehail_fee=np.full_like(fare, NOTHING),
        improvement_surcharge=improvement,
        congestion_surcharge=congestion,
        total=due + tip,
    )
    _remove_meter(trips, unmetered, habits, draws)
    return trips


def _routes(habits: Habits, draws: Draws) -> _Routes:
    pickup_zone = draws.pick(habits.pickup_zones)
    dropoff_zone = np.where(draws.chance(60), pickup_zone, draws.pick(habits.dropoff_zones))
    starts_in_centre, ends_in_centre = _is_centre()[pickup_zone], _is_centre()[dropoff_zone]
    dispatched = draws.chance(habits.dispatched_per_mille)
    rate = np.full_like(pickup_zone, _STANDARD_RATE)
    rate[draws.chance(1)] = _OUT_OF_TOWN_RATE
    rate[draws.chance(1)] = _UNKNOWN_RATE
    rate[dispatched] = _NEGOTIATED_RATE
    rate[(pickup_zone == JFK) & ends_in_centre | starts_in_centre & (dropoff_zone == JFK)] = _JFK_RATE
    rate[dropoff_zone == NEWARK] = _NEWARK_RATE
    return _Routes(pickup_zone, dropoff_zone, dispatched, rate, starts_in_centre | ends_in_centre)


def _metered_distances(habits: Habits, routes: _Routes, vendor: Integers, draws: Draws) -> Integers:
    distance = draws.pick(_DISTANCES)
    distance += np.where(routes.rate == _JFK_RATE, 1500, 0) + np.where(routes.rate == _NEWARK_RATE, 1400, 0)
    distance += np.where((routes.pickup_zone == LAGUARDIA) ^ (routes.dropoff_zone == LAGUARDIA), 700, 0)
    distance[draws.chance(habits.zero_distance_per_mille)] = 0
    in_tenths_of_a_mile = vendor == _CREATIVE_MOBILE
    return np.where(in_tenths_of_a_mile, distance - distance % 10, distance)


def _durations(pickup: Integers, distance: Integers, draws: Draws) -> Integers:
    """Durations in seconds, by the traffic of the hour; long trips use faster roads, and drivers differ."""
    speed = _SPEED[pickup % DAY // HOUR] + np.minimum(distance // 10, 180)
    seconds: Integers = distance * 360 * (60 + draws.below(90)) // (speed * 100) + 4 + draws.below(150)
    return seconds


def _metered_fares(distance: Integers, seconds: Integers, rate: Integers, draws: Draws) -> Integers:
    """Fares by fifths of a mile and by minutes in slow traffic, except for the flat fare to JFK and negotiated ones."""
    metered = 250 + 50 * (distance // 20 + seconds // 130)
    fare = metered + np.where(rate == _NEWARK_RATE, 1750, 0)
    fare = np.where(rate == _OUT_OF_TOWN_RATE, 2 * metered, fare)
    fare = np.where(rate == _NEGOTIATED_RATE, 500 * (1 + draws.below(8)) + 100 * (metered // 200), fare)
    return np.where(rate == _JFK_RATE, 5200, fare)


def _extras(pickup: Integers, rate: Integers) -> Integers:
    """A dollar in the evening rush of a weekday, half a dollar at night; with the flat fare $4.50, in the rush only."""
    hour = pickup % DAY // HOUR
    weekday = (pickup // DAY + _WEEKDAY_OF_EPOCH) % 7 < _SATURDAY
    rush = weekday & (hour >= _RUSH_BEGINS) & (hour < _RUSH_ENDS)
    night = (hour >= _RUSH_ENDS) | (hour < _NIGHT_ENDS)
    extra = np.where(rush, 100, np.where(night, 50, 0))
    extra = np.where(rate == _JFK_RATE, np.where(rush, 450, 0), extra)
    return np.where(rate == _NEGOTIATED_RATE, 0, extra)


def _tolls(habits: Habits, distance: Integers, rate: Integers, draws: Draws) -> Integers:
    long_way = (distance > _TOLL_DISTANCE) & draws.chance(350)
    from_or_to_jfk = (rate == _JFK_RATE) & draws.chance(600)
    return np.where(long_way | from_or_to_jfk, habits.toll, 0)


def _congestion(habits: Habits, routes: _Routes, draws: Draws) -> Integers:
    if habits.surcharge_is_due:
        return np.where(routes.in_centre, habits.surcharge, 0)
    return np.where(draws.chance(630), NOTHING, 0)  # some meters had the field before the surcharge began


def _payments(habits: Habits, draws: Draws) -> Integers:
    payment = np.where(draws.chance(habits.card_per_mille), CARD, CASH)
    payment[draws.chance(5)] = NO_CHARGE
    payment[draws.chance(2)] = DISPUTE
    return payment


def _tips(due: Integers, draws: Draws) -> Integers:
    by_percent = due * draws.pick(_TIP_PERCENT) // 100
    in_dollars = np.maximum(due // 800, 1) * 100
    return np.where(draws.chance(180), in_dollars, by_percent)


def _remove_meter(trips: Trips, unmetered: Mask, habits: Habits, draws: Draws) -> None:
    """Empty the fields that a meter would have filled, and charge what companies charge without a meter."""
    for meaning in ("vendor", "passengers", "rate_code", "stored_flag", "payment_type", "trip_type"):
        getattr(trips, meaning)[unmetered] = NOTHING
    flat, usual = 275, draws.chance(960)
    fee = np.where(usual, flat, 0)
    nothing = np.zeros_like(fee)
    taxed = draws.chance(5 if habits.liveries else 750)
    # Liveries report the flat fee as a tip, the others as an extra.
    trips.tip = np.where(unmetered, fee if habits.liveries else nothing, trips.tip)
    trips.extra = np.where(unmetered, nothing if habits.liveries else fee, trips.extra)
    trips.mta_tax = np.where(unmetered, np.where(taxed, 50, 0), trips.mta_tax)
    trips.congestion_surcharge = np.where(unmetered, NOTHING if habits.liveries else 0, trips.congestion_surcharge)
    total = trips.fare + trips.extra + trips.mta_tax + trips.tip + trips.tolls + trips.improvement_surcharge
    trips.total = np.where(unmetered, total, trips.total)


@cache
def _is_centre() -> Mask:
    """Whether a zone, by its number, is where the congestion surcharge is due."""
    centre = np.zeros(ZONE_COUNT + 1, np.bool_)
    centre[zones_served_as("Yellow Zone")] = True
    return centre
