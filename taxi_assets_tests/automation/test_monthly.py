"""The schedule loads, each day at ten in New York, what is published of the last six months and not loaded yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator

from taxi_assets.automation.records import read_records
from taxi_assets.automation.schedules import ScheduleDecision, newest_months
from taxi_assets.errors import SourceUnavailableError
from taxi_assets.months import Month, months_from
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.automation.watched_project import WatchedProject, instance_on_disk, spans
from taxi_assets_tests.project import GREEN, YELLOW
from taxi_assets_tests.source.file_server import Fault

NEW_YORK = ZoneInfo("America/New_York")
OCTOBER = Month(2020, 10)


def due(year: int, month: int) -> datetime:
    """When the schedule is due in a month."""
    return datetime(year, month, 1, 10, tzinfo=NEW_YORK)


def tick(watched: WatchedProject, at: datetime) -> ScheduleDecision:
    known = read_records(watched.instance, watched.repository.asset_graph, [WAREHOUSE])
    return newest_months(watched.trip_source(), known, at)


@pytest.fixture
def october(watched: WatchedProject) -> WatchedProject:
    """October 2020 of both taxis is published."""
    for taxi in (GREEN, YELLOW):
        watched.publish(OCTOBER, taxi)
    return watched


def test_it_is_due_every_day_at_ten_in_new_york(watched: WatchedProject) -> None:
    schedule = watched.repository.get_schedule_def("monthly")
    start = datetime(2020, 2, 28, tzinfo=UTC).timestamp()
    ticks = cron_string_iterator(start, str(schedule.cron_schedule), schedule.execution_timezone)
    moments = [next(ticks).astimezone(NEW_YORK) for _ in range(40)]
    assert {(moment.hour, moment.minute) for moment in moments} == {(10, 0)}
    assert [moment.date() for moment in moments] == [date(2020, 2, 28) + timedelta(days) for days in range(40)]
    assert {moment.astimezone(UTC).hour for moment in moments} == {14, 15}


@pytest.mark.parametrize(
    ("at", "first", "last"),
    [
        (due(2021, 1), "2020-07", "2020-12"),  # across the year's end
        (datetime(2020, 11, 1, 2, 30, tzinfo=UTC), "2020-04", "2020-09"),  # in New York it is still October
    ],
)
def test_it_looks_back_over_six_months(watched: WatchedProject, at: datetime, first: str, last: str) -> None:
    for month in months_from(Month.parse(first).previous(), Month.parse(last).next()):
        for taxi in (GREEN, YELLOW):
            watched.publish(month, taxi)
    assert spans(list(tick(watched, at).requests)) == [f"green, yellow {first}...{last}"]


def test_both_taxis_are_one_run_that_says_what_it_is_about(october: WatchedProject) -> None:
    (request,) = tick(october, due(2020, 11)).requests
    assert request.tags == {
        "taxi": "green, yellow",
        "month": "2020-10",
        "file": "green_tripdata_2020-10.csv, yellow_tripdata_2020-10.csv",
    }
    assert october.do(request).success
    assert len(october.rows("green_tripdata")) == len(october.rows("yellow_tripdata")) == 10
    (run,) = october.instance.get_runs()
    assert request.tags.items() <= run.tags.items()


def test_it_names_the_months_that_are_not_published_yet(october: WatchedProject) -> None:
    message = tick(october, due(2020, 12)).message
    assert message.startswith("2020-06...2020-11 at http://127.0.0.1:")
    assert "green, yellow 2020-10 requested; green, yellow 2020-06...2020-09, " in message
    assert message.endswith("green, yellow 2020-11 not published yet.")


def test_each_range_is_a_run_of_the_taxis_that_need_it(watched: WatchedProject) -> None:
    for month, taxi in ((6, YELLOW), (7, GREEN), (7, YELLOW), (9, GREEN), (9, YELLOW)):
        watched.publish(Month(2020, month), taxi)
    requests = tick(watched, due(2020, 11)).requests
    assert spans(list(requests)) == ["green 2020-07", "green, yellow 2020-09", "yellow 2020-06...2020-07"]


def test_one_taxi_is_loaded_without_the_other(watched: WatchedProject) -> None:
    watched.publish(OCTOBER, YELLOW)
    (request,) = tick(watched, due(2020, 11)).requests
    assert request.tags["taxi"] == "yellow"
    assert watched.do(request).success
    assert len(watched.rows("yellow_tripdata")) == 10


def test_what_is_loaded_is_neither_asked_about_nor_loaded_again(october: WatchedProject) -> None:
    for request in october.look_until_all_are_asked():
        assert october.do(request).success
    october.server.requests.clear()
    decision = tick(october, due(2020, 11))
    assert decision.requests == []
    assert "green, yellow 2020-10 loaded" in decision.message
    assert not [request for request in october.server.requests if "2020-10" in request.path]


def test_a_month_that_is_being_loaded_is_left_alone(october: WatchedProject) -> None:
    (request,) = tick(october, due(2020, 11)).requests
    october.instance.create_run_for_job(
        october.definitions().resolve_job_def("load_all"),
        status=dg.DagsterRunStatus.STARTING,
        tags={**request.tags, "dagster/partition": str(request.partition_key)},
    )
    assert tick(october, due(2020, 11)).requests == []
    assert october.look_until_all_are_asked() == []


def test_a_bad_file_is_requested_again_only_when_it_changed(watched: WatchedProject) -> None:
    watched.publish(OCTOBER, bad=True)
    (request,) = tick(watched, due(2020, 11)).requests
    assert not watched.do(request).success
    decision = tick(watched, due(2020, 12))
    assert decision.requests == []
    assert "green 2020-10 failed and not changed since" in decision.message
    watched.publish(OCTOBER, rows=12)
    assert spans(list(tick(watched, due(2020, 12)).requests)) == ["green 2020-10"]


def test_a_download_that_broke_off_is_requested_again_by_the_next_tick(watched: WatchedProject) -> None:
    watched.publish(OCTOBER)
    (request,) = tick(watched, due(2020, 11)).requests
    watched.spoil(OCTOBER, *[Fault(status=503)] * 3)
    assert not watched.do(request).success
    watched.spoil(OCTOBER)
    assert spans(list(tick(watched, due(2020, 11)).requests)) == ["green 2020-10"]


def test_a_source_that_answers_nothing_fails_the_tick(october: WatchedProject) -> None:
    october.server.head_faults.extend([Fault(status=503)] * 2)
    with pytest.raises(SourceUnavailableError, match="try again later"):
        tick(october, due(2020, 11))
    assert spans(list(tick(october, due(2020, 11)).requests)) == ["green, yellow 2020-10"]


def test_a_month_without_an_answer_waits_for_the_next_tick(october: WatchedProject) -> None:
    october.spoil(OCTOBER, Fault(status=503))
    decision = tick(october, due(2020, 11))
    assert spans(list(decision.requests)) == ["yellow 2020-10"]
    assert "green 2020-10 left to the next tick" in decision.message
    assert "try again later" in decision.message


def test_after_the_last_month_of_the_release_tick_and_description_say_how_to_go_on(watched: WatchedProject) -> None:
    decision = tick(watched, due(2026, 11))
    assert decision.requests == []
    assert watched.server.requests == []
    how = "end with 2021-07: set TAXI_SOURCE=auto to load later ones from the feed."
    assert decision.message.endswith(how)
    assert "green, yellow 2026-05...2026-10 not a partition" in decision.message
    assert str(watched.repository.get_schedule_def("monthly").description).endswith(how)


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
