"""dbt's models are the same in every warehouse, drop nothing, and are kept by month."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import dagster as dg
import duckdb as engine
import pytest

from taxi_assets.dbt import locations
from taxi_assets.taxis import get_taxi
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.dbt.project import BY_MONTH, FHV_MODELS, MODELS, DbtProject, duckdb_rows
from taxi_assets_tests.postgres.server import connect
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW

MONTHS = "2019-01...2019-02"
WAREHOUSES = ("duckdb", "postgres")
pytestmark = pytest.mark.xdist_group("dbt models")


@pytest.fixture(scope="module")
def built(project: DbtProject) -> DbtProject:
    """January and February of both taxis, from the raw files to revenue per zone, in both warehouses by one run."""
    for month in (JANUARY, FEBRUARY):
        for taxi in (GREEN, YELLOW):
            put_sample(project.source, taxi, month, 300)
    project.put_zones()
    outcome = project.run_selected(dg.AssetSelection.all() - dg.AssetSelection.groups("getting_started"), MONTHS)
    assert outcome.success, outcome.error
    return project


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_the_same_rows_in_duckdb_and_postgres(built: DbtProject, model: str) -> None:
    rows = built.results("duckdb", model)

    assert rows
    assert rows == built.results("postgres", model)


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_monthly_revenue_adds_up_to_the_main_tables(built: DbtProject, warehouse: str) -> None:
    def total(table: str, column: str) -> Decimal:
        return sum((Decimal(dict(row)[column]) for row in built.results(warehouse, table)), Decimal(0))

    revenue = total("dm_monthly_zone_revenue", "revenue_monthly_total_amount")

    assert revenue == total("green_tripdata", "total_amount") + total("yellow_tripdata", "total_amount")


def test_no_trip_is_lost_on_the_way_and_those_without_a_vendor_are_flagged(built: DbtProject) -> None:
    trips = [dict(row) for row in built.results("duckdb", "fct_trips")]
    raw = duckdb_rows(built, "green_tripdata") + duckdb_rows(built, "yellow_tripdata")
    without_vendor = [row for row in raw if row["VendorID"] is None]

    assert len(trips) == len(raw) == 1200
    assert sorted(trip["unique_row_id"] for trip in trips) == sorted(row["unique_row_id"] for row in raw)
    assert without_vendor
    assert sum(trip["has_vendor"] == "False" for trip in trips) == len(without_vendor)


def test_distinct_trips_are_those_with_a_vendor_once_each_whatever_file_they_are_in(built: DbtProject) -> None:
    def key(trip: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(trip[name] for name in ("vendor_id", "pickup_datetime", "pickup_location_id", "service_type"))

    keys = {key(trip) for row in built.results("duckdb", "fct_trips") if (trip := dict(row))["has_vendor"] == "True"}
    distinct = [dict(row) for row in built.results("duckdb", "fct_distinct_trips")]
    assert sorted(keys) == sorted(map(key, distinct))

    again, count = "INSERT INTO fct_trips SELECT * FROM fct_trips", "SELECT count(*) FROM fct_distinct_trips"
    with engine.connect(built.database) as connection:
        connection.execute(f"BEGIN; {again}")
        assert connection.execute(count).fetchall() == [(len(keys),)]
        connection.execute("ROLLBACK")
    with connect(built.url, built.schema) as connection, connection.transaction(force_rollback=True):
        connection.execute(again)
        assert connection.execute(count).fetchall() == [(len(keys),)]


def test_payment_types_that_are_not_known_are_said_to_be_not_recorded(built: DbtProject) -> None:
    known = {row["payment_type"]: row["payment_type_description"] for row in duckdb_rows(built, "payment_types")}
    trips = duckdb_rows(built, "fct_trips")

    assert None in {trip["payment_type"] for trip in trips}
    assert known[2] == "Cash"
    for trip in trips:
        assert trip["payment_type_description"] == known.get(trip["payment_type"], "Not recorded")


def test_for_hire_vehicles_have_models_of_their_own_where_they_are_chosen(
    built: DbtProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    fhv = get_taxi("fhv")
    monkeypatch.setenv("TAXI_TAXIS", "fhv")
    put_sample(built.source, fhv, JANUARY, 300)
    keys = [["raw", fhv.table], *([w, fhv.table + part] for w in WAREHOUSES for part in ("_month", ""))]
    selection = dg.AssetSelection.assets(*map(dg.AssetKey, keys)).without_checks()
    outcome = built.run_selected(selection, "2019-01")
    assert outcome.success, outcome.error
    for warehouse in WAREHOUSES:
        outcome = built.run_command("build --select stg_fhv_tripdata+", warehouse=warehouse, months="2019-01")
        assert outcome.success, outcome.error

    for model in FHV_MODELS:
        assert built.results("duckdb", model) == built.results("postgres", model)
    rows, trips = duckdb_rows(built, fhv.table), duckdb_rows(built, "fct_fhv_trips")
    assert sorted(trip["unique_row_id"] for trip in trips) == sorted(row["unique_row_id"] for row in rows)
    without_base = [row for row in rows if row["dispatching_base_num"] is None]
    assert sum(not trip["has_dispatching_base"] for trip in trips) == len(without_base)
    assert any(trip["pickup_zone"] for trip in trips)


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_a_month_that_is_loaded_again_changes_that_month_only(built: DbtProject, warehouse: str) -> None:
    def of(month: str, table: str) -> list[tuple[tuple[str, str], ...]]:
        return [row for row in built.results(warehouse, table) if dict(row)["file_month"] == month]

    before = {table: of("2019-02-01", table) for table in ("fct_trips", "dm_monthly_zone_revenue")}
    built.put(made_trips(GREEN, JANUARY, 7), JANUARY)
    keys = [["raw", "green_tripdata"], [warehouse, "green_tripdata_month"], [warehouse, "green_tripdata"]]
    keys += [[warehouse, model] for model in BY_MONTH]
    outcome = built.run_selected(dg.AssetSelection.assets(*map(dg.AssetKey, keys)).without_checks(), "2019-01")

    assert outcome.success, outcome.error
    assert len([row for row in of("2019-01-01", "fct_trips") if dict(row)["service_type"] == "Green"]) == 7
    assert before == {table: of("2019-02-01", table) for table in before}


def test_rows_of_other_months_are_not_even_written_again(built: DbtProject) -> None:
    versions = "SELECT xmin::text, count(*) FROM fct_trips WHERE file_month = '2019-02-01' GROUP BY 1"
    before = built.query(versions)
    outcome = built.run_command("run --select fct_trips", warehouse="postgres", months="2019-01")

    assert outcome.success, outcome.error
    assert built.query(versions) == before


def test_a_month_of_which_nothing_is_left_is_emptied(built: DbtProject) -> None:
    built.query("DELETE FROM green_tripdata WHERE file_month = '2019-01-01'")
    built.query("DELETE FROM yellow_tripdata WHERE file_month = '2019-01-01'")
    outcome = built.run_command("build --select fct_trips+", warehouse="postgres", months="2019-01")

    assert outcome.success, outcome.error
    assert {dict(row)["file_month"] for row in built.results("postgres", "fct_trips")} == {"2019-02-01"}
    assert {dict(row)["file_month"] for row in built.results("postgres", "dm_monthly_zone_revenue")} == {"2019-02-01"}


def test_models_are_materialized_month_by_month_and_tests_are_checks(built: DbtProject) -> None:
    key = dg.AssetKey(["duckdb", "dm_monthly_zone_revenue"])
    records = built.instance.fetch_materializations(key, limit=10).records
    graph = built.definitions().resolve_asset_graph()

    assert {record.partition_key for record in records} >= {"2019-01", "2019-02"}
    assert dg.AssetCheckKey(key, "monthly_revenue_adds_up") in graph.asset_check_keys
    assert dg.AssetKey(["raw", "green_tripdata"]) in graph.get_ancestor_asset_keys(key)
    assert "Revenue per month" in (graph.get(key).description or "")
    assert graph.get(key).group_name == "dbt_duckdb"
    assert graph.get(key).owners


def test_the_password_may_be_a_word_that_is_in_the_names_of_models(
    built: DbtProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of docker-compose.yml is, unless another is set."""
    built.query("CREATE ROLE zones SUPERUSER LOGIN PASSWORD 'zones'")
    with monkeypatch.context() as patch:
        patch.setattr(built, "url", f"postgresql://zones:zones@{built.url.partition('@')[2]}")
        outcome = built.run_selected(dg.AssetSelection.assets(dg.AssetKey(["postgres", "dim_zones"])))
    built.query("REASSIGN OWNED BY zones TO CURRENT_USER")
    built.query("DROP ROLE zones")

    assert outcome.success, outcome.error
    assert outcome.checks("postgres/dim_zones")["unique_dim_zones_location_id"].passed


def test_a_dbt_test_that_fails_is_a_failed_check(built: DbtProject) -> None:
    built.query("UPDATE taxi_zones SET locationid = 1 WHERE locationid = 2")
    outcome = built.run_selected(dg.AssetSelection.assets(dg.AssetKey(["postgres", "dim_zones"])))
    checks = outcome.checks("postgres/dim_zones")

    assert not outcome.success
    assert not checks["unique_dim_zones_location_id"].passed
    assert checks["not_null_dim_zones_location_id"].passed
    assert "unique_dim_zones_location_id: Got 1 result" in outcome.failure


def test_the_password_is_in_nothing_that_dbt_writes(built: DbtProject) -> None:
    password = built.url.split(":")[2].split("@")[0]
    outcome = built.run_command("debug", warehouse="postgres")

    assert outcome.success, outcome.error
    assert "All checks passed!" in outcome.log
    assert password not in outcome.log
    files = [path for path in locations.state_folder().rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password.encode() in path.read_bytes()]
