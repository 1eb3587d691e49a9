"""dbt's models follow the trips: after what they need, for the months that changed, and as a full build makes them."""

from __future__ import annotations

import dagster as dg
import pytest

from taxi_assets_tests.automation.following import WHOLE, Follower
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.dbt.project import BY_MONTH, MODELS, REFERENCES, comparable, duckdb_rows, run_selected
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Project

pytestmark = pytest.mark.xdist_group("dbt following")

ZONES = {"raw/taxi_zones": {WHOLE}, "duckdb/taxi_zones": {WHOLE}}
OF_ZONES = {f"duckdb/{model}": {WHOLE} for model in REFERENCES}


def of_months(*months: str) -> dict[str, set[str]]:
    return {f"duckdb/{model}": set(months) for model in BY_MONTH}


@pytest.fixture(scope="module")
def follower(home: None, tmp_path_factory: pytest.TempPathFactory) -> Follower:
    """A project of which no month is loaded."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.put_zones()
    return Follower(project, [*of_months(), *OF_ZONES, *ZONES])


def test_models_wait_for_the_zones_and_for_a_month_of_each_taxi(follower: Follower) -> None:
    project = follower.project
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 20), month)
    project.put(made_trips(YELLOW, FEBRUARY, 5), FEBRUARY, YELLOW)
    assert project.run("2019-01...2019-02").success
    assert follower.tick() == ZONES
    assert follower.do(ZONES)[0].success
    assert follower.tick() == OF_ZONES
    assert follower.do(OF_ZONES)[0].success
    assert follower.tick() == {}
    assert project.run("2019-02", YELLOW).success
    assert follower.tick() == of_months("2019-01", "2019-02")


def test_models_are_made_again_for_a_corrected_month_as_a_full_build_makes_them(follower: Follower) -> None:
    project = follower.project
    for outcome in follower.do(of_months("2019-01", "2019-02")):
        assert outcome.success, outcome.error
    assert follower.tick() == {}
    project.put(made_trips(GREEN, JANUARY, 7))
    assert project.run("2019-01...2019-02").success
    assert follower.tick() == of_months("2019-01")
    assert follower.do(of_months("2019-01"))[0].success
    made = {model: comparable(duckdb_rows(project, model)) for model in MODELS}
    assert len(made["fct_trips"]) == 7 + 20 + 5
    with project.warehouse().get_connection() as connection:
        for model in ("fct_trips", "dm_monthly_zone_revenue"):
            connection.execute(f"DROP TABLE {model}")
    models = dg.AssetSelection.groups("dbt_duckdb")
    assert run_selected(project, models, "2019-01...2019-02").success
    assert {model: comparable(duckdb_rows(project, model)) for model in MODELS} == made
