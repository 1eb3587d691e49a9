"""The months of the sample are removed at once, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.assets.origins import sample_months
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Project


def remove_sample(project: Project) -> dg.ExecuteInProcessResult:
    job = project.definitions().resolve_job_def("remove_sample_months")
    return job.execute_in_process(instance=project.instance, raise_on_error=False)


def log_of(project: Project, run_id: str) -> str:
    events = project.instance.all_logs(run_id)
    return "\n".join(event.user_message for event in events if not event.is_dagster_event)


@pytest.fixture
def mixed(tmp_path: Path) -> Project:
    """January from a folder over January of the sample, and February of the sample, of both taxis."""
    project = Project(tmp_path, address="sample")
    for taxi in (GREEN, YELLOW):
        assert project.run("2019-01...2019-02", taxi, checks=False).success
        project.put(made_trips(taxi, JANUARY, 20), taxi=taxi)
    project.address = str(project.source)
    return project


def load_january(project: Project, taxi=GREEN):
    outcome = project.run("2019-01", taxi, checks=False)
    assert outcome.success
    return outcome


def test_the_first_months_of_another_source_say_what_becomes_of_the_sample(mixed: Project) -> None:
    log = load_january(mixed).log
    assert (
        "Months of the sample are in DuckDB (green 2019-02): each stays until it is loaded from another source" in log
    )
    assert "remove_sample_months, or make remove-sample" in log


def test_months_of_the_sample_alone_need_no_word_about_it(tmp_path: Path) -> None:
    assert "of the sample" not in Project(tmp_path, address="sample").run(checks=False).log


def test_only_the_sample_is_removed(mixed: Project) -> None:
    for taxi in (GREEN, YELLOW):
        load_january(mixed, taxi)
    january = {taxi: mixed.warehouse().read(taxi.table, [JANUARY]).fetchall() for taxi in (GREEN, YELLOW)}
    stranger = mixed.landing / "green" / "notes.txt"
    stranger.write_text("mine")
    assert remove_sample(mixed).success
    for taxi in (GREEN, YELLOW):
        assert sorted(mixed.warehouse().read(taxi.table, None).fetchall()) == sorted(january[taxi])
        names = [f"{taxi.table}_2019-01.csv.gz", f"{taxi.table}_2019-01.csv.gz.json"]
        assert mixed.landed_names(taxi) == [*names, *(["notes.txt"] if taxi == GREEN else [])]
        assert sample_months(mixed.instance, mixed.kind, taxi) == {}
    assert "of the sample" not in load_january(mixed).log


def test_removing_it_twice_removes_nothing_more(mixed: Project) -> None:
    load_january(mixed)
    assert remove_sample(mixed).success
    before = mixed.everything()
    assert remove_sample(mixed).success
    assert mixed.everything() == before


def test_a_month_that_another_instance_has_loaded_since_stays(mixed: Project) -> None:
    other = Project(mixed.folder)
    other.put(made_trips(GREEN, FEBRUARY, 30), FEBRUARY)
    assert other.run("2019-02", checks=False).success
    result = remove_sample(mixed)
    assert result.success
    assert f"2019-02 of green_tripdata stays in {mixed.database}: it has 30 rows" in log_of(mixed, result.run_id)
    assert len(mixed.rows("green_tripdata")) == 30
    assert "green_tripdata_2019-02.csv.gz" in mixed.landed_names()


def test_a_landed_file_that_somebody_changed_stays(mixed: Project) -> None:
    path = mixed.landing / "green" / "green_tripdata_2019-02.csv.gz"
    path.write_bytes(b"mine")
    assert remove_sample(mixed).success
    assert path.read_bytes() == b"mine"


def test_a_warehouse_that_was_deleted_is_no_hindrance(mixed: Project) -> None:
    mixed.database.unlink()
    assert remove_sample(mixed).success
    assert mixed.landed_names() == []


def test_the_sample_can_be_loaded_again(mixed: Project) -> None:
    assert remove_sample(mixed).success
    mixed.address = "sample"
    assert mixed.run("2019-02", checks=False).success
    assert set(sample_months(mixed.instance, mixed.kind, GREEN)) == {FEBRUARY}
