"""In a year in which months are published ten weeks late, each is loaded within a day and none requested in vain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from taxi_assets.automation.records import read_records
from taxi_assets.automation.schedules import newest_months
from taxi_assets.months import Month, months_from
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.automation.watched_project import WatchedProject
from taxi_assets_tests.project import GREEN, YELLOW

NEW_YEAR = datetime(2020, 1, 1, 10, tzinfo=ZoneInfo("America/New_York"))
DELAY = timedelta(weeks=10)
MONTHS = months_from(Month(2019, 10), Month(2020, 12))
BAD, CORRECTED_AFTER = Month(2019, 11), timedelta(weeks=3)
"""One month's file is bad at first."""


def appearances() -> Mapping[datetime, list[tuple[Taxi, Month]]]:
    """What is published at which tick; the yellow taxis' file comes two days after the green ones'."""
    found: dict[datetime, list[tuple[Taxi, Month]]] = {}
    for month in MONTHS:
        ended = NEW_YEAR.replace(year=month.next().year, month=month.next().number)
        for taxi, days in ((GREEN, 0), (YELLOW, 2)):
            found.setdefault(ended + DELAY + timedelta(days), []).append((taxi, month))
    return found


@pytest.mark.parametrize(
    ("by_schedule", "by_sensor", "days"),
    [(True, False, 100), (False, True, 100), (True, True, 366)],
    ids=["the schedule", "the sensor", "both"],
)
def test_each_month_is_loaded_when_it_appears_by(
    watched: WatchedProject, by_schedule: bool, by_sensor: bool, days: int
) -> None:
    published = appearances()
    loads: list[tuple[str, str]] = []
    for day in range(days):
        now = NEW_YEAR + timedelta(day)
        for taxi, month in published.get(now, []):
            watched.publish(month, taxi, bad=month == BAD)
        for taxi, month in published.get(now - CORRECTED_AFTER, []):
            if month == BAD:
                watched.publish(month, taxi, rows=11)
        requests: list[dg.RunRequest] = []
        if by_schedule:
            records = read_records(watched.instance, watched.repository.asset_graph, [WAREHOUSE])
            requests += newest_months(watched.trip_source(), records, now).requests
            loads += [run(watched, request) for request in requests]
        if by_sensor:
            loads += [run(watched, request) for request in watched.look(now.timestamp()).requests]
        records = read_records(watched.instance, watched.repository.asset_graph, [WAREHOUSE])
        due = {(taxi, month) for moment, files in published.items() if moment <= now for taxi, month in files}
        late = {(taxi, month) for taxi, month in due if not records[taxi].is_loaded(month)}
        assert {month for _, month in late} <= {BAD}, f"not loaded on {now}"
    assert not late
    # Each was requested once, the month with the bad file once for each of its versions.
    expected = [(taxi.name, str(month)) for taxi, month in due]
    assert sorted(loads) == sorted([*expected, *((taxi.name, str(BAD)) for taxi in (GREEN, YELLOW))])


def run(watched: WatchedProject, request: dg.RunRequest) -> tuple[str, str]:
    """Do what is requested, and say which taxi and month it is about."""
    watched.do(request)
    return request.tags["taxi"], request.tags["month"]
