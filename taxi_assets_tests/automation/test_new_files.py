"""The sensor requests exactly the months that are new or have changed at the source, once, and with few questions."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import PartitionBackfill

from taxi_assets.assets.trips import trip_stages
from taxi_assets.automation.cursor import PolledFile, SensorCursor, read_cursor
from taxi_assets.automation.polling import PollingLimits
from taxi_assets.months import Month, months_before
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.automation.watched_project import HOUR, NOON, WatchedProject, instance_on_disk, spans
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, YELLOW
from taxi_assets_tests.source.file_server import Fault

LATER = NOON + 7 * HOUR


@pytest.fixture
def quarter(watched: WatchedProject) -> WatchedProject:
    """January to March 2019 of the green taxis are published."""
    for month in (JANUARY, FEBRUARY, MARCH):
        watched.publish(month)
    return watched


@pytest.fixture
def up_to_date(quarter: WatchedProject) -> WatchedProject:
    """The same, and they are loaded."""
    (request,) = quarter.look_until_all_are_asked()
    result = quarter.do(request)
    assert result.success
    assert result.get_asset_check_evaluations()
    return quarter


def test_months_that_were_never_loaded_are_one_run_for_each_stretch_of_a_taxi(quarter: WatchedProject) -> None:
    quarter.publish(APRIL.next())
    quarter.publish(JANUARY, YELLOW)
    requests = quarter.look_until_all_are_asked()
    assert spans(requests) == ["green 2019-01...2019-03", "green 2019-05", "yellow 2019-01"]
    assert requests[0].asset_selection is not None
    assert requests[0].tags["file"] == "green_tripdata_2019-01.csv...green_tripdata_2019-03.csv"
    assert requests[1].partition_key == "2019-05"


def test_both_taxis_are_one_run_where_both_need_the_same_months(quarter: WatchedProject) -> None:
    for month in (JANUARY, FEBRUARY, MARCH):
        quarter.publish(month, YELLOW)
    (request,) = quarter.look_until_all_are_asked()
    assert spans([request]) == ["green, yellow 2019-01...2019-03"]
    assert quarter.do(request).success
    assert len(quarter.rows("green_tripdata")) == len(quarter.rows("yellow_tripdata")) == 30


def test_a_bad_file_that_somebody_else_tried_is_not_requested(watched: WatchedProject) -> None:
    watched.publish(JANUARY, bad=True)
    watched.publish(FEBRUARY)
    watched.server.files[watched.path(FEBRUARY)].body = b"<html>"
    assert not watched.run("2019-01...2019-02").success
    decision = watched.look()
    assert decision.requests == []
    assert decision.message.startswith("2 failed and not changed since, 34 not published: asked http")


def test_what_is_requested_is_loaded(up_to_date: WatchedProject) -> None:
    assert len(up_to_date.rows("green_tripdata")) == 30


def test_what_is_loaded_is_not_requested_again(up_to_date: WatchedProject) -> None:
    decision = up_to_date.look(LATER)
    assert decision.requests == []
    assert "3 up to date" in decision.message
    assert "33 not published" in decision.message


def test_a_month_that_somebody_loaded_by_hand_is_not_requested(watched: WatchedProject) -> None:
    watched.publish(JANUARY)
    assert watched.run("2019-01").success
    assert watched.look_until_all_are_asked() == []


def test_a_file_that_changed_is_requested_and_no_other(up_to_date: WatchedProject) -> None:
    up_to_date.publish(FEBRUARY, rows=12)
    (request,) = up_to_date.look_until_all_are_asked(LATER)
    assert spans([request]) == ["green 2019-02"]
    assert up_to_date.do(request).success
    assert len(up_to_date.rows("green_tripdata")) == 32
    assert up_to_date.look_until_all_are_asked(LATER + 7 * HOUR) == []


def test_a_file_that_appears_is_requested(up_to_date: WatchedProject) -> None:
    up_to_date.publish(APRIL)
    assert spans(up_to_date.look_until_all_are_asked(LATER)) == ["green 2019-04"]


def test_a_month_that_is_not_merged_yet_is_requested(quarter: WatchedProject) -> None:
    assert quarter.run("2019-02", stages=("raw", "month")).success
    assert spans(quarter.look_until_all_are_asked()) == ["green 2019-01...2019-03"]


def test_what_was_requested_is_not_requested_again_before_it_had_time(quarter: WatchedProject) -> None:
    assert len(quarter.look_until_all_are_asked()) == 1
    quarter.server.requests.clear()
    decision = quarter.look(NOON + 60)
    assert decision.requests == []
    assert quarter.server.requests == []


@pytest.mark.parametrize("files", [62, 200])
def test_the_cursor_stays_small_on_the_page_of_the_sensor(files: int) -> None:
    cursor = SensorCursor()
    months = months_before(Month(2026, 11), files // 2)
    for place, file in enumerate(taxi.file_path(month) for month in months for taxi in (GREEN, YELLOW)):
        cursor.file(file).asked_at = int(NOON) + 60 * (place // 36)
    assert len(cursor.to_text()) < 1200
    assert read_cursor(cursor.to_text()) == cursor


def test_what_is_loaded_leaves_only_the_moment_of_asking_in_the_cursor(up_to_date: WatchedProject) -> None:
    up_to_date.look(LATER)
    kept = read_cursor(up_to_date.cursor).files[GREEN.file_path(JANUARY)]
    assert kept == PolledFile(asked_at=int(LATER))


def test_the_cursor_of_the_version_before_is_read() -> None:
    file = {"asked_at": 5, "version": sha256(b"").hexdigest()[:12], "requested_at": 4, "requests": 1}
    old = {"format": 2, "files": {"green/a.csv.gz": file}, "unanswered": 1, "paused_until": 9}
    assert read_cursor(json.dumps(old)) == SensorCursor({"green/a.csv.gz": PolledFile(**file)}, 1, 9)


def test_without_a_readable_cursor_what_is_loaded_is_still_known(up_to_date: WatchedProject) -> None:
    for cursor in (
        None,
        "",
        "not json",
        "[]",
        '{"format": 99}',
        '{"format": 1, "files": {}}',
        '{"format": 2, "files": 3}',
        "3:",
        "3:AAAA",
        "3:é",
    ):
        up_to_date.cursor = cursor
        assert up_to_date.look_until_all_are_asked() == []


def test_the_same_request_has_the_same_key_so_that_dagster_starts_it_once(quarter: WatchedProject) -> None:
    (request,) = quarter.look_until_all_are_asked()
    quarter.cursor = None
    (again,) = quarter.look_until_all_are_asked()
    assert request.run_key == again.run_key


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_a_month_that_a_run_is_loading_is_not_requested(quarter: WatchedProject, status: dg.DagsterRunStatus) -> None:
    job = quarter.definitions().resolve_job_def("load_all")
    quarter.instance.create_run_for_job(
        job,
        status=status,
        tags={"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"},
    )
    assert spans(quarter.look_until_all_are_asked()) == ["green 2019-03"]


def test_a_month_that_a_backfill_is_about_to_load_is_not_requested(quarter: WatchedProject) -> None:
    graph = quarter.repository.asset_graph
    quarter.instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id="backfill",
            asset_graph=graph,
            partition_names=["2019-01", "2019-02"],
            asset_selection=[stage.key for stage in trip_stages(GREEN, [WAREHOUSE])],
            backfill_timestamp=NOON,
            tags={},
            dynamic_partitions_store=quarter.instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )
    assert spans(quarter.look_until_all_are_asked()) == ["green 2019-03"]


def test_a_bad_file_is_requested_again_only_when_it_changed(quarter: WatchedProject) -> None:
    quarter.publish(FEBRUARY, bad=True)
    (request,) = quarter.look_until_all_are_asked()
    assert not quarter.do(request).success
    for days in (1, 10, 100):
        decision = quarter.look(NOON + days * 24 * HOUR)
        assert decision.requests == []
    assert "1 failed and not changed since" in decision.message
    quarter.publish(FEBRUARY, rows=12)
    assert spans(quarter.look_until_all_are_asked(NOON + 200 * 24 * HOUR)) == ["green 2019-02"]


def test_a_month_whose_download_failed_is_requested_again_after_a_pause_that_grows(watched: WatchedProject) -> None:
    watched.publish(JANUARY)
    (request,) = watched.look_until_all_are_asked()
    keys = [request.run_key]
    hours = []
    for hour in range(1, 20):
        watched.cursor = forget_when_asked(watched.cursor)
        if request is not None:
            watched.spoil(JANUARY, *[Fault(status=503)] * 3)
            assert not watched.do(request).success
            watched.spoil(JANUARY)
        request = next(iter(watched.look(NOON + hour * HOUR).requests), None)
        if request is not None:
            hours.append(hour)
            keys.append(request.run_key)
    assert hours == [1, 2, 4, 8, 16]
    assert len(set(keys)) == len(keys)


def forget_when_asked(cursor: str | None) -> str:
    """The cursor with all files due to be asked about."""
    kept = read_cursor(cursor)
    for file in kept.files.values():
        file.asked_at = 0
    return kept.to_text()


def test_a_server_is_asked_about_few_files_at_once_and_each_only_now_and_then(up_to_date: WatchedProject) -> None:
    limits = PollingLimits()
    up_to_date.server.requests.clear()
    for minute in range(0, 600, 20):
        before = len(up_to_date.server.requests)
        up_to_date.look(LATER + 60 * minute)
        assert len(up_to_date.server.requests) - before <= limits.files_at_once
    assert {request.method for request in up_to_date.server.requests} == {"HEAD"}
    asked = [request.path for request in up_to_date.server.requests]
    assert {asked.count(path) for path in asked} == {2}
    assert len(set(asked)) == 62


def test_a_known_version_is_asked_for_conditionally(up_to_date: WatchedProject) -> None:
    up_to_date.server.requests.clear()
    up_to_date.look(LATER)
    conditional = [request.path for request in up_to_date.server.requests if "If-None-Match" in request.headers]
    assert conditional == [up_to_date.path(month) for month in (JANUARY, FEBRUARY, MARCH)]


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(status=429), Fault(is_silent=True), Fault(hangs_up=True)],
    ids=["500", "429", "hangs", "closes early"],
)
def test_a_source_that_is_down_is_left_alone_for_longer_each_time(quarter: WatchedProject, fault: Fault) -> None:
    quarter.server.head_faults.extend([fault] * 100)
    decision = quarter.look()
    assert decision.requests == []
    assert "check the network, or try again later" in decision.message
    assert "is not asked again before 2023-11-14 22:23 UTC" in decision.message
    asked = len(quarter.server.requests)
    assert asked == 2
    assert "did not answer" in quarter.look(NOON + 9 * 60).message
    assert len(quarter.server.requests) == asked
    assert "before 2023-11-14 22:43 UTC" in quarter.look(NOON + 10 * 60).message
    quarter.server.head_faults.clear()
    assert spans(list(quarter.look(NOON + HOUR).requests)) == ["green 2019-01...2019-03"]


def test_a_source_that_asks_for_a_pause_gets_it(quarter: WatchedProject) -> None:
    quarter.server.head_faults.extend([Fault(status=429, headers={"Retry-After": "86400"})] * 2)
    assert "before 2023-11-15 22:13 UTC" in quarter.look().message


def test_an_address_that_is_none_fails_the_evaluation_with_its_sentence(watched: WatchedProject) -> None:
    watched.address = "no-such-source"
    sensor = watched.repository.get_sensor_def("new_files")
    resources = {"source": watched.trip_source()}
    with (
        instance_on_disk() as instance,
        dg.build_sensor_context(instance, repository_def=watched.repository, resources=resources) as context,
        pytest.raises(dg.Failure, match="TAXI_SOURCE is “no-such-source”, which is neither"),
    ):
        sensor.evaluate_tick(context)


def test_a_source_that_cannot_be_reached_is_said_to_be_so(tmp_path: Path, watched: WatchedProject) -> None:
    watched.address = "http://127.0.0.1:9"
    assert "no connection" in watched.look().message


def test_one_file_that_cannot_be_asked_about_stops_no_other(quarter: WatchedProject) -> None:
    quarter.spoil(FEBRUARY, Fault(status=500))
    decision = quarter.look()
    assert spans(list(decision.requests)) == ["green 2019-01", "green 2019-03"]
    assert (
        "1 without an answer (the first: The version of green_tripdata_2019-02.csv.gz could not be read from"
        in decision.message
    )


def test_a_folder_is_looked_at_every_time(watched: WatchedProject) -> None:
    watched.address = str(watched.source)
    assert watched.look().requests == []
    watched.put(made_trips(GREEN, JANUARY, 10))
    assert spans(list(watched.look(NOON + 60).requests)) == ["green 2019-01"]


def test_a_backfill_setting_limits_the_months_of_a_run(
    quarter: WatchedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_MONTHS_PER_RUN", "2")
    assert spans(quarter.look_until_all_are_asked()) == ["green 2019-01...2019-02", "green 2019-03"]


def test_dagster_evaluates_the_sensor_and_accepts_what_it_requests(quarter: WatchedProject) -> None:
    sensor = quarter.repository.get_sensor_def("new_files")
    settings = {"repository_def": quarter.repository, "resources": {"source": quarter.trip_source()}}
    with instance_on_disk() as instance:
        with dg.build_sensor_context(instance, **settings) as context:
            data = sensor.evaluate_tick(context)
        with dg.build_sensor_context(instance, cursor=data.cursor, **settings) as context:
            rest = sensor.evaluate_tick(context)
    (request,) = data.run_requests
    assert spans([request]) == ["green 2019-01...2019-03"]
    assert rest.run_requests == []
    assert "26 not published" in rest.skip_message


def test_nothing_is_downloaded_before_somebody_switches_it_on(quarter: WatchedProject) -> None:
    assert quarter.definitions().resolve_sensor_def("new_files").default_status == dg.DefaultSensorStatus.STOPPED
