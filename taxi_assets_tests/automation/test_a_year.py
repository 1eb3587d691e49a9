"""In a year in which months are published ten weeks late, each is loaded within a day and none requested in vain.

What follows the trips is made for the months that were loaded, once for each load.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from taxi_assets.automation.records import read_records
from taxi_assets.automation.schedules import newest_months
from taxi_assets.months import Month, months_from
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.automation.following import AS_A_WHOLE, BY_MONTH, WHOLE, Follower
from taxi_assets_tests.automation.watched_project import WatchedProject
from taxi_assets_tests.project import GREEN, YELLOW

NEW_YEAR = datetime(2020, 1, 1, 10, tzinfo=ZoneInfo("America/New_York"))
DELAY = timedelta(weeks=10)
MONTHS = months_from(Month(2019, 10), Month(2020, 12))
BAD, CORRECTED_AFTER = Month(2019, 11), timedelta(weeks=3)
"""One month's file is bad at first."""
PAGES = ("report/duckdb/month", "report/duckdb/all_months")


def appearances() -> Mapping[datetime, list[tuple[Taxi, Month]]]:
    """What is published at which tick; the yellow taxis' file comes two days after the green ones'."""
    found: dict[datetime, list[tuple[Taxi, Month]]] = {}
    for month in MONTHS:
        ended = NEW_YEAR.replace(year=month.next().year, month=month.next().number)
        for taxi, days in ((GREEN, 0), (YELLOW, 2)):
            found.setdefault(ended + DELAY + timedelta(days), []).append((taxi, month))
    return found


def days_to_look_at(published: Mapping[datetime, list[tuple[Taxi, Month]]], count: int) -> Iterator[datetime]:
    """The days on which something happens, those before and after them, and one of each ten others."""
    corrected = {day + CORRECTED_AFTER for day, files in published.items() if BAD in {month for _, month in files}}
    eventful = {*published, *corrected}
    near = {day + timedelta(days) for day in eventful for days in (-1, 0, 1)}
    for number in range(count):
        day = NEW_YEAR + timedelta(number)
        if day in near or number % 10 == 0:
            yield day


def publish_files_of(
    now: datetime, watched: WatchedProject, published: Mapping[datetime, list[tuple[Taxi, Month]]]
) -> None:
    for taxi, month in published.get(now, []):
        watched.publish(month, taxi, bad=month == BAD)
    for taxi, month in published.get(now - CORRECTED_AFTER, []):
        if month == BAD:
            watched.publish(month, taxi, rows=11)


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
    for now in days_to_look_at(published, days):
        publish_files_of(now, watched, published)
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


def test_what_follows_is_made_once_for_each_load(watched: WatchedProject) -> None:
    follower = Follower(watched)
    loaded: list[str] = []
    followed: list[str] = []
    for months in loaded_by_day(watched, 100):
        loaded += months
        requested = follower.tick()
        followed += requested.get(BY_MONTH, ())
        assert requested.keys() in (set(), {BY_MONTH, AS_A_WHOLE})
        follower.do(requested)
    assert str(BAD) in loaded
    assert followed == loaded


def test_the_pages_that_followed_are_those_of_a_full_rebuild(watched: WatchedProject) -> None:
    follower = Follower(watched, PAGES)
    loaded: set[str] = set()
    for months in loaded_by_day(watched, 65):
        loaded.update(months)
        assert all(outcome.success for outcome in follower.do(follower.tick()))
    followed = pages(watched)
    assert followed.keys() == {*loaded, "all_months"}
    shutil.rmtree(watched.home / "report")
    of_month, of_all_months = PAGES
    for month in sorted(loaded):
        assert follower.materialize(month, of_month).success
    assert follower.materialize(WHOLE, of_all_months).success
    assert followed == pages(watched)


def loaded_by_day(watched: WatchedProject, days: int) -> Iterator[list[str]]:
    """The months that are loaded on each of the first days, when the sensor has looked."""
    published = appearances()
    for now in days_to_look_at(published, days):
        publish_files_of(now, watched, published)
        requests = watched.look(now.timestamp()).requests
        yield [request.tags["month"] for request in requests if watched.do(request).success]


def pages(watched: WatchedProject) -> Mapping[str, str]:
    return {page.stem: page.read_text("utf-8") for page in (watched.home / "report" / "duckdb").glob("*.html")}


def run(watched: WatchedProject, request: dg.RunRequest) -> tuple[str, str]:
    """Do what is requested, and say which taxi and month it is about."""
    watched.do(request)
    return request.tags["taxi"], request.tags["month"]
