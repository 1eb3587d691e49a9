"""The schedule loads the month before, on the first at ten in New York, and leaves a missing one to the sensor."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator

from taxi_assets.automation.records import read_records
from taxi_assets.automation.schedules import previous_month
from taxi_assets.months import Month
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.automation.watched_project import WatchedProject, instance_on_disk, spans
from taxi_assets_tests.project import GREEN, YELLOW
from taxi_assets_tests.source.file_server import Fault

NEW_YORK = ZoneInfo("America/New_York")
OCTOBER = Month(2020, 10)


def due(year: int, month: int) -> datetime:
    """When the schedule is due in a month."""
    return datetime(year, month, 1, 10, tzinfo=NEW_YORK)


def tick(watched: WatchedProject, at: datetime) -> dg.RunRequest | dg.SkipReason:
    known = read_records(watched.instance, watched.repository.asset_graph, [WAREHOUSE])
    return previous_month(watched.trip_source(), known, at)


def why(outcome: dg.RunRequest | dg.SkipReason) -> str:
    assert isinstance(outcome, dg.SkipReason)
    assert outcome.skip_message is not None
    return outcome.skip_message


@pytest.fixture
def october(watched: WatchedProject) -> WatchedProject:
    """October 2020 of both taxis is published."""
    for taxi in (GREEN, YELLOW):
        watched.publish(OCTOBER, taxi)
    return watched


def test_it_is_due_on_the_first_of_each_month_at_ten_in_new_york(watched: WatchedProject) -> None:
    schedule = watched.repository.get_schedule_def("monthly")
    start = datetime(2020, 1, 15, tzinfo=UTC).timestamp()
    ticks = cron_string_iterator(start, str(schedule.cron_schedule), schedule.execution_timezone)
    moments = [next(ticks).astimezone(NEW_YORK) for _ in range(14)]
    assert [(moment.day, moment.hour, moment.minute) for moment in moments] == [(1, 10, 0)] * 14
    assert [moment.month for moment in moments] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3]
    assert {moment.astimezone(UTC).hour for moment in moments} == {14, 15}


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (due(2021, 1), "2020-12"),  # across the year's end
        (due(2020, 3), "2020-02"),  # a leap year's February
        (due(2020, 4), "2020-03"),  # summer time began in March
        (due(2020, 11), "2020-10"),  # summer time ends on this very day
        (datetime(2020, 11, 1, 2, 30, tzinfo=UTC), "2020-09"),  # in New York it is still October
    ],
)
def test_it_asks_for_the_month_before(watched: WatchedProject, at: datetime, month: str) -> None:
    for taxi in (GREEN, YELLOW):
        watched.publish(Month.parse(month), taxi)
    outcome = tick(watched, at)
    assert isinstance(outcome, dg.RunRequest)
    assert outcome.partition_key == month


def test_both_taxis_are_one_run_that_says_what_it_is_about(october: WatchedProject) -> None:
    outcome = tick(october, due(2020, 11))
    assert isinstance(outcome, dg.RunRequest)
    assert outcome.tags == {
        "taxi": "green, yellow",
        "month": "2020-10",
        "file": "green_tripdata_2020-10.csv, yellow_tripdata_2020-10.csv",
    }
    assert october.do(outcome).success
    assert len(october.rows("green_tripdata")) == len(october.rows("yellow_tripdata")) == 10
    (run,) = october.instance.get_runs()
    assert outcome.tags.items() <= run.tags.items()


def test_a_month_that_is_not_published_yet_is_left_to_the_sensor(watched: WatchedProject) -> None:
    reason = why(tick(watched, due(2020, 11)))
    for table in ("green_tripdata", "yellow_tripdata"):
        assert f"2020-10 of {table} is not published at http://127.0.0.1" in reason
    assert "the sensor new_files will load it" in reason
    for taxi in (GREEN, YELLOW):
        watched.publish(OCTOBER, taxi)
    assert spans(watched.look_until_all_are_asked()) == ["green 2020-10", "yellow 2020-10"]


def test_one_taxi_is_loaded_without_the_other(watched: WatchedProject) -> None:
    watched.publish(OCTOBER, YELLOW)
    outcome = tick(watched, due(2020, 11))
    assert isinstance(outcome, dg.RunRequest)
    assert outcome.tags["taxi"] == "yellow"
    assert watched.do(outcome).success
    assert len(watched.rows("yellow_tripdata")) == 10


def test_what_is_loaded_already_is_not_loaded_again(october: WatchedProject) -> None:
    for request in october.look_until_all_are_asked():
        assert october.do(request).success
    reason = why(tick(october, due(2020, 11)))
    assert reason == "2020-10 of green_tripdata is loaded already. 2020-10 of yellow_tripdata is loaded already."


def test_a_source_that_is_down_does_not_make_it_skip(october: WatchedProject) -> None:
    october.server.head_faults.extend([Fault(status=503)] * 2)
    outcome = tick(october, due(2020, 11))
    assert isinstance(outcome, dg.RunRequest)
    assert outcome.tags["taxi"] == "green, yellow"
    assert october.do(outcome).success


def test_a_month_that_is_not_a_partition_is_skipped_and_says_so(watched: WatchedProject) -> None:
    assert why(tick(watched, due(2018, 6))).startswith("2018-05 of green_tripdata is not a partition")


def test_dagster_evaluates_the_schedule_and_accepts_what_it_requests(october: WatchedProject) -> None:
    schedule = october.repository.get_schedule_def("monthly")
    with (
        instance_on_disk() as instance,
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=due(2020, 11),
            resources={"source": october.trip_source()},
            repository_def=october.repository,
        ) as context,
    ):
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.tags["dagster/partition"] == "2020-10"


def test_nothing_is_downloaded_before_somebody_switches_it_on(watched: WatchedProject) -> None:
    assert watched.repository.get_schedule_def("monthly").default_status == dg.DefaultScheduleStatus.STOPPED
