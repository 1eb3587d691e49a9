"""The embedded warehouse is made again from the landing zone, whatever became of its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from taxi_assets.warehouses.duckdb import rebuild as rebuild_module
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.feed.parquet_files import feed_table
from taxi_assets_tests.feed.project import AUTUMN, FedProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Project


@pytest.fixture
def loaded(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.put(made_trips(GREEN, JANUARY, 30), JANUARY)
    project.put(made_trips(GREEN, FEBRUARY, 40), FEBRUARY)
    project.put(made_trips(YELLOW, JANUARY, 20), JANUARY, YELLOW)
    assert project.run("2019-01...2019-02", checks=False).success
    assert project.run(taxi=YELLOW, checks=False).success
    return project


def rebuilt(project: Project, **settings: Any) -> dg.ExecuteInProcessResult:
    job = project.definitions(**settings).resolve_job_def("rebuild_duckdb")
    return job.execute_in_process(instance=project.instance, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    (event,) = [event for event in result.all_events if event.is_successful_output]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)


def test_a_damaged_file_is_replaced_and_kept(loaded: Project) -> None:
    before = loaded.everything()
    content = loaded.database.read_bytes()
    damaged = b"\xff" * 8192 + content[8192:]
    loaded.database.write_bytes(damaged)
    outcome = loaded.run(checks=False)
    assert "run the job rebuild_duckdb" in outcome.failure
    facts = metadata(rebuilt(loaded))
    assert loaded.everything() == before
    assert (facts["months"], facts["trips"]) == (3, 90)
    assert Path(facts["old file"]).read_bytes() == damaged
    assert loaded.run(checks=False).success


def test_a_lost_file_is_made_again(loaded: Project) -> None:
    before = loaded.everything()
    loaded.database.unlink()
    assert rebuilt(loaded).success
    assert loaded.everything() == before
    assert sorted(path.name for path in loaded.home.iterdir()) == ["landing", "warehouse.duckdb"]


def test_tables_that_are_not_made_again_are_named(loaded: Project) -> None:
    with duckdb.connect(loaded.database) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    facts = metadata(rebuilt(loaded))
    assert facts["tables to make again"] == "main.mine"
    with duckdb.connect(facts["old file"], read_only=True) as connection:
        assert connection.execute("FROM mine").fetchall() == [(42,)]


def test_months_whose_raw_file_was_purged_are_named(loaded: Project) -> None:
    (loaded.landing / GREEN.file_path(FEBRUARY)).unlink()
    facts = metadata(rebuilt(loaded))
    assert facts["months to materialize"] == "green 2019-02"
    assert {row["file_month"].month for row in loaded.rows("green_tripdata")} == {1}


def test_without_a_landed_month_nothing_is_touched(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.home.mkdir()
    project.database.write_bytes(b"no database")
    assert "No month has landed here" in failure(rebuilt(project))
    assert project.database.read_bytes() == b"no database"


def test_a_raw_file_that_was_changed_leaves_the_old_file_in_its_place(loaded: Project) -> None:
    before = loaded.everything()
    path = loaded.landing / GREEN.file_path(JANUARY)
    stat = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-20] + b"\0" * 20)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = rebuilt(loaded)
    assert not result.success
    assert path.name in failure(result)
    assert loaded.everything() == before
    assert not [path for path in loaded.home.iterdir() if "rebuilding" in path.name]


def test_a_raw_file_that_was_given_another_time_is_not_left_out(loaded: Project) -> None:
    before = loaded.everything()
    path = loaded.landing / GREEN.file_path(JANUARY)
    os.utime(path)
    assert "was changed after it was verified" in failure(rebuilt(loaded))
    assert loaded.everything() == before


def test_months_of_every_source_are_loaded_whatever_the_source_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = FedProject(tmp_path)
    fed.publish(feed_table(GREEN, AUTUMN, 50))
    with monkeypatch.context() as patched:
        patched.setenv("TAXI_SOURCE", "feed")
        assert fed.run(str(AUTUMN), checks=False).success
    before = fed.everything()
    facts = metadata(rebuilt(Project(tmp_path)))
    assert facts["trips"] == 50
    assert fed.everything() == before


def test_a_file_that_a_load_has_made_in_the_meantime_stays(loaded: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded.database.unlink()
    load_zones = rebuild_module._load_zones

    def load_a_month_as_well(*args: Any) -> None:
        load_zones(*args)
        assert loaded.run("2019-02", checks=False).success

    monkeypatch.setattr(rebuild_module, "_load_zones", load_a_month_as_well)
    assert "was created or changed" in failure(rebuilt(loaded))
    assert len(loaded.rows("green_tripdata")) == 40


def test_the_settings_of_the_resource_apply_to_the_new_file(loaded: Project) -> None:
    result = rebuilt(loaded, connection_config={"no_such_setting": "1"})
    assert "no_such_setting" in failure(result)
