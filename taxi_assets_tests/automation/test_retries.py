"""What may pass is tried again, what is bad is not, and a retry takes up only the months that are left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.months import Month
from taxi_assets_tests.automation.watched_project import WatchedProject, instance_on_disk
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, Project
from taxi_assets_tests.source.file_server import Fault, FileServer

RANGE = "2019-01...2019-04"
MONTHS = [JANUARY, FEBRUARY, MARCH, APRIL]
MAIN = dg.AssetKey(["duckdb", GREEN.table])
AT_ONCE = dg.RetryPolicy(max_retries=2)


@pytest.fixture
def four_months(watched: WatchedProject) -> WatchedProject:
    """January to April 2019 are on a server, and steps are tried three times."""
    watched.retries = AT_ONCE
    for month in MONTHS:
        watched.publish(month)
    return watched


def step_events(result: dg.ExecuteInProcessResult) -> list[str]:
    names = {"STEP_UP_FOR_RETRY": "retry", "STEP_FAILURE": "failure", "STEP_SUCCESS": "success"}
    return [names[event.event_type_value] for event in result.all_events if event.event_type_value in names]


def downloads(watched: WatchedProject) -> dict[str, int]:
    """How often each month was fetched."""
    paths = [request.path for request in watched.server.gets]
    return {str(month): paths.count(watched.path(month)) for month in MONTHS}


def merges(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Months that a run's log says were done."""
    said = [event.user_message for event in instance.all_logs(run_id) if not event.is_dagster_event]
    return sorted(text.partition(" done: ")[0] for text in said if " done: " in text)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(status=500)] * 2,
        [Fault(status=429, headers={"Retry-After": "1"})] * 2,
        [Fault(is_silent=True)] * 2,
        [Fault(), *[Fault(cut_after=0)] * 2],
    ],
    ids=["500", "429 with Retry-After", "hangs", "closes early"],
)
def test_a_source_that_fails_for_a_while_delays_a_month_and_no_more(
    four_months: WatchedProject, faults: list[Fault]
) -> None:
    four_months.spoil(MARCH, *faults)
    outcome = four_months.run(RANGE)
    assert outcome.success
    assert step_events(outcome.result) == ["retry", "success"]
    assert len(four_months.rows("green_tripdata")) == 40
    assert "3 of 4 months were settled by an earlier attempt" in outcome.log
    assert merges(four_months.instance, outcome.result.run_id) == [str(month) for month in MONTHS]


def test_a_source_that_stays_down_fails_the_run_with_its_reason_and_the_rest_is_loaded(
    four_months: WatchedProject,
) -> None:
    four_months.spoil(MARCH, *[Fault(status=503)] * 100)
    outcome = four_months.run(RANGE)
    assert step_events(outcome.result) == ["retry", "retry", "failure"]
    headline, march = outcome.failure.split("\n")
    assert headline == "1 of 4 months failed, the others are done:"
    assert "the server answered HTTP 503" in march
    assert four_months.instance.get_materialized_partitions(MAIN) == {"2019-01", "2019-02", "2019-04"}
    assert downloads(four_months) == {"2019-01": 1, "2019-02": 1, "2019-03": 0, "2019-04": 1}


def test_a_source_that_never_answered_is_not_tried_again_by_the_step(tmp_path: Path) -> None:
    with FileServer() as gone:
        watched = WatchedProject(tmp_path, gone)
    watched.retries = AT_ONCE
    outcome = watched.run(RANGE)
    assert step_events(outcome.result) == ["failure"]
    headline, cause = outcome.failure.split("\n")
    assert headline == "4 of 4 months failed:"
    assert cause.startswith(f"{RANGE}, raw/green_tripdata: {watched.address} can't be reached")


def test_a_source_that_stops_answering_is_tried_again_by_the_step(tmp_path: Path) -> None:
    with FileServer() as server:
        watched = WatchedProject(tmp_path, server)
        watched.retries = AT_ONCE
        watched.publish(JANUARY)
        assert watched.run(str(JANUARY)).success
    assert step_events(watched.run(str(FEBRUARY)).result) == ["retry", "retry", "failure"]


def test_a_bad_file_is_not_tried_again(four_months: WatchedProject) -> None:
    four_months.publish(MARCH, bad=True)
    outcome = four_months.run(RANGE)
    assert step_events(outcome.result) == ["failure"]
    assert downloads(four_months)["2019-03"] == 1


def test_a_bad_file_is_not_tried_again_with_others_that_may_pass(four_months: WatchedProject) -> None:
    four_months.publish(FEBRUARY, bad=True)
    four_months.spoil(MARCH, *[Fault(status=503)] * 2)
    outcome = four_months.run(RANGE)
    assert step_events(outcome.result) == ["retry", "failure"]
    assert "1 of 4 months failed" in outcome.failure
    assert "2019-02, duckdb/green_tripdata_month" in outcome.failure
    assert "“abc” is not a number" in outcome.failure
    assert downloads(four_months) == {str(month): 1 for month in MONTHS}


def test_a_failed_month_says_why_on_its_own_partition(four_months: WatchedProject) -> None:
    four_months.publish(FEBRUARY, bad=True)
    four_months.run(RANGE)
    (record,) = four_months.instance.fetch_observations(
        dg.AssetKey(["duckdb", "green_tripdata_month"]), limit=10
    ).records
    assert record.partition_key == "2019-02"
    assert record.asset_observation is not None
    assert "“abc” is not a number" in record.asset_observation.metadata["failure"].value


def test_all_months_have_their_own_numbers_after_a_retry(four_months: WatchedProject) -> None:
    four_months.publish(MARCH, rows=30)
    four_months.spoil(MARCH, *[Fault(status=503)] * 2)
    assert four_months.run(RANGE).success
    rows = {}
    for record in four_months.instance.fetch_materializations(MAIN, limit=20, ascending=True).records:
        assert record.asset_materialization is not None
        rows[record.partition_key] = record.asset_materialization.metadata["inserted"].value
    assert rows == {"2019-01": 10, "2019-02": 10, "2019-03": 30, "2019-04": 10}


def test_each_month_has_its_checks_on_its_own_partition_after_a_retry(four_months: WatchedProject) -> None:
    four_months.spoil(MARCH, *[Fault(status=503)] * 2)
    outcome = four_months.run(RANGE)
    evaluations = [e for e in outcome.result.get_asset_check_evaluations() if e.check_name == "rows_match_file"]
    of_main = [e.partition for e in evaluations if e.asset_key == MAIN and e.partition]
    assert sorted(of_main) == [str(month) for month in MONTHS]


def test_a_run_says_what_it_is_about_however_it_was_started(four_months: WatchedProject) -> None:
    one = four_months.run("2019-02").result.run_id
    several = four_months.run(RANGE).result.run_id
    tags = {run.run_id: run.tags for run in four_months.instance.get_runs()}
    facts = {"taxi": "green", "month": "2019-02", "file": "green_tripdata_2019-02.csv"}
    assert facts.items() <= tags[one].items()
    assert tags[several]["month"] == RANGE
    assert tags[several]["file"] == "green_tripdata_2019-01.csv...green_tripdata_2019-04.csv"


def resumable_job() -> dg.JobDefinition:
    """The job of the project whose folder the environment names, as a process of a run finds it."""
    definitions = Project(Path(os.environ["TAXI_TEST_PROJECT"])).definitions()
    # Without checks there is less to write to an instance on disk.
    green = dg.AssetSelection.assets(MAIN).upstream().without_checks()
    job = dg.define_asset_job("green", green, executor_def=dg.in_process_executor)
    return job.resolve(asset_graph=definitions.resolve_asset_graph())


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance whose runs can be executed again."""
    monkeypatch.setenv("TAXI_TEST_PROJECT", str(tmp_path))
    with instance_on_disk() as instance:
        yield instance


def put_good(project: Project, month: Month) -> None:
    project.put(made_trips(GREEN, month, 10), month)


def test_a_failed_run_that_is_resumed_does_only_the_months_that_are_left(
    project: Project, kept: dg.DagsterInstance
) -> None:
    put_good(project, JANUARY)
    bad = made_trips(GREEN, FEBRUARY, 10)
    bad[0]["fare_amount"] = "abc"
    put_csv(project.source, GREEN, FEBRUARY, csv_bytes(GREEN.header, bad))
    tags = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}
    job = dg.reconstructable(resumable_job)
    with dg.execute_job(job, kept, tags=tags) as failed:
        assert not failed.success
    put_good(project, FEBRUARY)
    from_failure = dg.ReexecutionOptions.from_failure(failed.run_id, kept)
    # The tag is what the UI and the daemon add, beside what the Python interface does.
    resume = {**tags, "dagster/is_resume_retry": "true"}
    with dg.execute_job(job, kept, tags=resume, reexecution_options=from_failure) as resumed:
        assert resumed.success
    assert merges(kept, resumed.run_id) == ["2019-02"]
    assert kept.get_materialized_partitions(MAIN) == {"2019-01", "2019-02"}
    assert len(project.rows("green_tripdata")) == 20
