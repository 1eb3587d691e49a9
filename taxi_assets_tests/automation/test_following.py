"""What is made from the trips is requested for exactly the months that have changed, and once for each change."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.definitions import defs
from taxi_assets.months import Month
from taxi_assets_tests.automation.following import AS_A_WHOLE, BY_MONTH, WHOLE, Follower
from taxi_assets_tests.automation.watched_project import instance_on_disk
from taxi_assets_tests.csv_files import made_trips, put_bytes
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, MARCH, YELLOW, Project

MAIN = "duckdb/green_tripdata"
PAGE = "report/duckdb/month"
ALL_MONTHS = "report/duckdb/all_months"
ZONES = {"raw/taxi_zones": {WHOLE}, "duckdb/taxi_zones": {WHOLE}}
RANGE = "2019-01...2019-03"


def follows(*months: str) -> dict[str, set[str]]:
    """What follows from these months: their part of what is kept by month, and what is not."""
    return {BY_MONTH: set(months), AS_A_WHOLE: {WHOLE}}


@pytest.fixture
def quarter(project: Project) -> Project:
    """A source with the zones and three months of green taxis."""
    project.put_zones()
    for month in (JANUARY, FEBRUARY, MARCH):
        project.put(made_trips(GREEN, month, 20), month)
    return project


@pytest.fixture
def follower(quarter: Project) -> Follower:
    """A project of which three months are loaded, and what follows from them is made."""
    assert quarter.run(RANGE).success
    follower = Follower(quarter)
    follower.catch_up()
    return follower


def correct(project: Project, month: Month, rows: int = 21) -> None:
    project.put(made_trips(GREEN, month, rows), month)


def test_the_sensor_is_off_until_it_is_switched_on() -> None:
    sensor = defs.get_repository_def().get_sensor_def("follow_trips")
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_nothing_is_requested_before_anything_is_loaded(quarter: Project) -> None:
    assert Follower(quarter).tick() == {}


def test_the_loaded_months_and_only_those_are_requested_once(quarter: Project) -> None:
    follower = Follower(quarter)
    follower.tick()
    assert quarter.run("2019-01...2019-02").success
    assert follower.tick() == follows("2019-01", "2019-02")
    assert follower.tick() == {}


def test_months_that_were_loaded_before_the_sensor_was_on_are_requested(quarter: Project) -> None:
    assert quarter.run("2019-02").success
    assert quarter.run("2019-02").success
    assert Follower(quarter).tick() == follows("2019-02")


def test_what_was_made_by_hand_is_not_requested(quarter: Project) -> None:
    assert quarter.run(RANGE).success
    follower = Follower(quarter)
    for month in ("2019-01", "2019-03"):
        assert follower.materialize(month, BY_MONTH).success
    assert follower.tick() == follows("2019-02")


def test_months_that_were_loaded_again_unchanged_are_not_requested(follower: Follower) -> None:
    assert follower.project.run(RANGE).success
    assert follower.tick() == {}


def test_a_corrected_month_is_requested_again_and_no_other(follower: Follower) -> None:
    correct(follower.project, FEBRUARY)
    assert follower.project.run(RANGE).success
    assert follower.tick() == follows("2019-02")


def test_a_correction_counts_though_the_month_was_loaded_again_unchanged_before_the_tick(follower: Follower) -> None:
    correct(follower.project, FEBRUARY)
    assert follower.project.run("2019-02").success
    assert follower.project.run("2019-02").success
    assert follower.tick() == follows("2019-02")


def test_a_month_that_another_taxi_gets_is_requested_again(follower: Follower) -> None:
    follower.project.put(made_trips(YELLOW, JANUARY, 5), JANUARY, YELLOW)
    assert follower.project.run("2019-01", YELLOW).success
    assert follower.tick() == follows("2019-01")


def test_a_month_that_was_removed_is_requested(follower: Follower) -> None:
    job = follower.definitions.resolve_job_def("remove_month")
    config = {"warehouse": "duckdb", "taxi": "green", "month": "2019-03", "confirm": "duckdb green 2019-03"}
    run_config = {"ops": {"remove": {"config": config}}}
    assert job.execute_in_process(run_config=run_config, instance=follower.project.instance).success
    assert follower.tick() == follows("2019-03")


def test_a_month_whose_file_is_bad_is_not_requested_and_the_others_are(follower: Follower) -> None:
    correct(follower.project, JANUARY)
    put_bytes(follower.project.source, GREEN, FEBRUARY, b"no gzip")
    correct(follower.project, MARCH)
    assert not follower.project.run(RANGE).success
    assert follower.tick() == follows("2019-01", "2019-03")


def test_a_month_that_is_recorded_again_by_a_retry_is_not_requested_again(follower: Follower) -> None:
    correct(follower.project, JANUARY)
    broken = follower.project.source / GREEN.file_path(FEBRUARY)
    shutil.move(broken, broken.with_suffix(".away"))
    failed = follower.project.run(RANGE)
    assert not failed.success
    follower.catch_up()
    shutil.move(broken.with_suffix(".away"), broken)
    correct(follower.project, FEBRUARY)
    resumed = follower.definitions.resolve_job_def("load_all").execute_in_process(
        instance=follower.project.instance,
        tags={
            "dagster/asset_partition_range_start": "2019-01",
            "dagster/asset_partition_range_end": "2019-03",
            "dagster/parent_run_id": failed.result.run_id,
            "dagster/is_resume_retry": "true",
        },
        asset_selection=list(follower.project.keys(GREEN).values()),
        raise_on_error=False,
    )
    assert resumed.success
    assert follower.tick() == follows("2019-02")


def test_a_month_with_a_blocking_check_that_failed_is_left_out_until_it_passes(quarter: Project) -> None:
    assert quarter.run(RANGE).success
    follower = Follower(quarter)
    lose_a_row(quarter, FEBRUARY)
    assert follower.tick() == follows("2019-01", "2019-03")
    assert follower.tick() == {}
    assert quarter.run("2019-02").success
    assert follower.tick() == follows("2019-02")


def lose_a_row(project: Project, month: Month) -> None:
    """Delete a row from the main table, and let the checks find it."""
    with project.warehouse().get_connection() as connection:
        connection.execute(
            f"DELETE FROM green_tripdata WHERE unique_row_id = (SELECT min(unique_row_id) FROM "
            f"green_tripdata WHERE file_month = DATE '{month.first_day}')"
        )
    definitions = project.definitions()
    checks = dg.AssetSelection.checks_for_assets(dg.AssetKey.from_user_string(MAIN))
    job = dg.define_asset_job("check", checks).resolve(asset_graph=definitions.resolve_asset_graph())
    result = job.execute_in_process(
        instance=project.instance, tags={"dagster/partition": str(month)}, raise_on_error=False
    )
    assert not all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


@pytest.mark.parametrize("job", ["load_duckdb", "follow"])
def test_a_month_that_is_being_loaded_or_made_is_left_to_a_later_tick(follower: Follower, job: str) -> None:
    correct(follower.project, JANUARY)
    correct(follower.project, FEBRUARY)
    job_of_run = follower.job(BY_MONTH) if job == "follow" else follower.definitions.resolve_job_def(job)
    tags = {"dagster/partition": "2019-02"}
    started = dg.DagsterRunStatus.STARTED
    run = follower.project.instance.create_run_for_job(job_of_run, status=started, tags=tags)
    assert follower.project.run(RANGE).success
    assert follower.tick()[BY_MONTH] == {"2019-01"}
    follower.project.instance.report_run_canceled(run)
    assert follower.tick()[BY_MONTH] == {"2019-02"}


def test_a_change_while_what_follows_is_made_is_not_lost(follower: Follower) -> None:
    instance = follower.project.instance
    run = instance.create_run_for_job(
        follower.job(BY_MONTH), status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "2019-01"}
    )
    correct(follower.project, JANUARY)
    assert follower.project.run("2019-01").success
    assert BY_MONTH not in follower.tick()
    # It is made from the old trips, and recorded after the new ones.
    instance.report_runless_asset_event(dg.AssetMaterialization(BY_MONTH, partition="2019-01"))
    instance.report_run_canceled(run)
    assert follower.tick() == {BY_MONTH: {"2019-01"}}


def test_what_failed_is_requested_again_only_after_another_change(follower: Follower) -> None:
    follower.is_broken = True
    correct(follower.project, JANUARY)
    assert follower.project.run("2019-01").success
    assert [outcome.success for outcome in follower.do(follower.tick())] == [False, False]
    assert follower.tick() == {}
    assert Follower(follower.project).tick() == {}
    correct(follower.project, JANUARY, rows=22)
    assert follower.project.run("2019-01").success
    assert follower.tick() == follows("2019-01")


def test_a_sensor_that_has_lost_its_cursor_requests_nothing_that_is_made(follower: Follower) -> None:
    assert Follower(follower.project).tick() == {}


def test_the_zones_are_loaded_once(quarter: Project) -> None:
    follower = Follower(quarter, list(ZONES))
    assert follower.tick() == {}
    assert quarter.run("2019-01").success
    assert follower.tick() == ZONES
    assert follower.tick() == {}
    assert follower.do(ZONES)[0].success
    assert Follower(quarter, list(ZONES)).tick() == {}


def test_the_zones_are_left_alone_if_the_source_has_none(project: Project) -> None:
    project.put(made_trips(GREEN, JANUARY, 20))
    assert project.run("2019-01").success
    follower = Follower(project, list(ZONES))
    assert not follower.do(follower.tick())[0].success
    assert follower.tick() == {}
    assert Follower(project, list(ZONES)).tick() == {}


def test_the_report_follows_the_trips(quarter: Project) -> None:
    follower = Follower(quarter, [PAGE, ALL_MONTHS])
    assert quarter.run("2019-01...2019-02").success
    assert follower.tick() == {PAGE: {"2019-01", "2019-02"}, ALL_MONTHS: {WHOLE}}


def test_one_job_loads_months_and_makes_everything_that_follows(quarter: Project) -> None:
    quarter.put(made_trips(YELLOW, JANUARY, 5), JANUARY, YELLOW)
    result = (
        quarter.definitions()
        .resolve_job_def("refresh_duckdb")
        .execute_in_process(instance=quarter.instance, partition_key="2019-01", raise_on_error=False)
    )
    assert result.success
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert {PAGE, ALL_MONTHS, MAIN, "duckdb/yellow_tripdata", *ZONES} <= made
    assert not [key for key in made if key.startswith("getting_started")]
    pages = {path.stem: path.read_text("utf-8") for path in (quarter.home / "report" / "duckdb").glob("*.html")}
    assert set(pages) == {"2019-01", "all_months"}
    assert not [name for name, text in pages.items() if 'class="stale"' in text]
    assert Follower(quarter, [PAGE, ALL_MONTHS, *ZONES]).tick() == {}


def test_a_tick_of_the_sensor_makes_many_months_by_one_backfill(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 20), month)
    repository = project.definitions().get_repository_def()
    sensor = repository.get_sensor_def("follow_trips")
    with instance_on_disk() as instance:
        project.instance = instance
        assert project.run("2019-01...2019-02").success
        context = dg.build_sensor_context(instance, repository_def=repository)
        (backfill,) = sensor.evaluate_tick(context).run_requests
    requested = backfill.asset_graph_subset
    assert requested.get_partitions_subset(dg.AssetKey.from_user_string(PAGE)).get_partition_keys() == [
        "2019-01",
        "2019-02",
    ]
    assert dg.AssetKey.from_user_string(ALL_MONTHS) in requested.asset_keys
