"""dbt's models give in BigQuery what they give in DuckDB, and are kept by month there. (Emulator tests.)"""

from __future__ import annotations

import dagster as dg
import pytest

from emulators.running import Emulators
from taxi_assets import settings
from taxi_assets.ownership import is_ours
from taxi_assets.warehouses import bigquery as cloud
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.dbt.project import MODELS, comparable, duckdb_rows, run_selected
from taxi_assets_tests.gcp.conftest import emulators  # noqa: F401 - a fixture
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW

pytestmark = pytest.mark.xdist_group("dbt in BigQuery")


@pytest.fixture(scope="module")
def built(
    home: None,
    tmp_path_factory: pytest.TempPathFactory,
    emulators: Emulators,  # noqa: F811
) -> GcpProject:
    """January and February of both taxis, from the raw files to revenue per zone, in BigQuery and DuckDB."""
    if not list(settings.dbt_executable().parents[1].glob("lib/python*/site-packages/dbt/adapters/bigquery")):
        pytest.skip("dbt has no adapter of BigQuery: there is none for Python 3.13 and newer")
    project = GcpProject(tmp_path_factory.mktemp("project"), emulators)
    project.set_up()
    project.warehouses = [embedded.WAREHOUSE, cloud.WAREHOUSE]
    PostgresProject.put_zones(project)
    for month in (JANUARY, FEBRUARY):
        for taxi in (GREEN, YELLOW):
            put_sample(project.source, taxi, month, 100)
    with pytest.MonkeyPatch.context() as patch:
        # The emulator can't make a table for two months at once.
        patch.setenv("TAXI_MONTHS_AT_ONCE", "1")
        outcome = run_selected(
            project, dg.AssetSelection.all() - dg.AssetSelection.groups("getting_started"), "2019-01...2019-02"
        )
    assert outcome.success, outcome.error
    return project


def rows(project: GcpProject, model: str) -> list[tuple[tuple[str, str], ...]]:
    with project.client() as client:
        found = client.query(f"SELECT * FROM `{client.project}.{project.dataset}.{model}`").result()
        return comparable(dict(row.items()) for row in found)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_the_same_rows_in_bigquery_and_duckdb(built: GcpProject, model: str) -> None:
    found = rows(built, model)

    assert found
    assert found == comparable(duckdb_rows(built, model))


def test_what_dbt_makes_is_known_as_ours_by_its_label(built: GcpProject) -> None:
    with built.client() as client:
        labels = {name: client.get_table(f"{built.dataset}.{name}").labels for name in MODELS}

    assert all(is_ours(found) for found in labels.values()), labels


def test_a_month_that_is_loaded_again_changes_that_month_only(built: GcpProject) -> None:
    def of(month: str) -> list[tuple[tuple[str, str], ...]]:
        return [row for row in rows(built, "fct_trips") if dict(row)["file_month"] == month]

    before = of("2019-02-01")
    built.put(made_trips(GREEN, JANUARY, 7), JANUARY)
    built.kind = cloud.WAREHOUSE
    assert built.run("2019-01", checks=False).success
    outcome = run_selected(
        built, dg.AssetSelection.assets(dg.AssetKey(["bigquery", "fct_trips"])).without_checks(), "2019-01"
    )

    assert outcome.success, outcome.error
    assert len([row for row in of("2019-01-01") if dict(row)["service_type"] == "Green"]) == 7
    assert of("2019-02-01") == before
