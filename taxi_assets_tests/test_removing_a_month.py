"""A month is removed on purpose only, and can be loaded again."""

from __future__ import annotations

import dagster as dg
import pytest

from taxi_assets_tests.project import Project


def remove(project: Project, **config: str) -> dg.ExecuteInProcessResult:
    wanted = {"warehouse": "duckdb", "taxi": "green", "month": "2019-01", "confirm": "duckdb green 2019-01"} | config
    job = project.definitions().resolve_job_def("remove_month")
    return job.execute_in_process(
        run_config={"ops": {"remove": {"config": wanted}}}, instance=project.instance, raise_on_error=False
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    return event.step_failure_data.user_failure_data.description


def test_a_month_is_removed_and_the_others_stay(loaded: Project) -> None:
    february = [row for row in loaded.rows("green_tripdata") if row["filename"].endswith("2019-02.csv")]
    assert remove(loaded).success
    assert loaded.rows("green_tripdata") == february


def test_a_removed_month_can_be_loaded_again(loaded: Project) -> None:
    before = loaded.rows("green_tripdata")
    assert remove(loaded).success
    outcome = loaded.run("2019-01")
    assert outcome.materialized("duckdb/green_tripdata")["2019-01"]["inserted"] == 60
    assert loaded.rows("green_tripdata") == before


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"confirm": "yes"}, "to remove the month, write “duckdb green 2019-01”"),
        ({"taxi": "purple"}, "There is no taxi called “purple”"),
        ({"warehouse": "oracle"}, "There is no warehouse called “oracle”"),
        ({"month": "2019-1"}, "“2019-1” is not a month"),
        ({"month": "2019-03", "confirm": "duckdb green 2019-03"}, "there is nothing to remove"),
    ],
)
def test_nothing_is_removed_without_the_right_words(loaded: Project, config: dict[str, str], sentence: str) -> None:
    before = loaded.everything()
    result = remove(loaded, **config)
    assert not result.success
    assert sentence in failure(result)
    assert loaded.everything() == before
