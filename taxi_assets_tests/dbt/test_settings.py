"""What dbt's project says agrees with what the taxis are, and the graph loads without dbt."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from taxi_assets import settings
from taxi_assets.dbt import locations
from taxi_assets.dbt.manifest import find_manifest
from taxi_assets.dbt.tables import sources_used
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.trip_tables import table_columns
from taxi_assets.zones import ZONES_COLUMNS, ZONES_TABLE

_LOADS = """
import sys
from taxi_assets.definitions import defs
print([key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys() if "fct_trips" in key.path])
print("dagster_dbt" in sys.modules)
"""


def test_the_sources_have_the_columns_of_the_main_tables_with_their_descriptions() -> None:
    manifest = find_manifest(locations.PROFILES)
    assert manifest is not None
    found = {
        source["identifier"]: [(name, column["description"]) for name, column in source["columns"].items()]
        for source in manifest["sources"].values()
    }
    expected = {
        taxi.table: [(column.name.lower(), column.description) for column in table_columns(taxi, DIALECT)]
        for taxi in all_taxis().values()
    }

    assert found == expected | {ZONES_TABLE: [(column.name.lower(), column.description) for column in ZONES_COLUMNS]}


def test_both_staging_models_describe_the_same_columns() -> None:
    manifest = find_manifest(locations.PROFILES)
    assert manifest is not None
    green, yellow = (manifest["nodes"][f"model.taxi.stg_{name}_tripdata"]["columns"] for name in ("green", "yellow"))

    assert list(green) == list(yellow)


def test_without_dbt_the_graph_loads_without_its_models_and_nothing_of_it_is_imported() -> None:
    environment = {**os.environ, "TAXI_DBT": "/nowhere/dbt"}
    done = subprocess.run([sys.executable, "-c", _LOADS], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["[]", "False"]


@pytest.mark.parametrize(
    ("value", "staging", "marts"),
    [
        (None, ["stg_green_tripdata", "stg_yellow_tripdata"], True),
        ("yellow,fhv", ["stg_fhv_tripdata", "stg_yellow_tripdata"], True),
        ("fhv,fhvhv", ["stg_fhv_tripdata"], False),
    ],
)
def test_models_of_taxis_that_are_not_chosen_are_left_out(
    value: str | None, staging: list[str], marts: bool, home: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAXI_TAXIS", raising=False)
    if value is not None:
        monkeypatch.setenv("TAXI_TAXIS", value)
    manifest = find_manifest(locations.PROFILES)
    assert manifest is not None
    models = {
        node["name"]: node["depends_on"]["nodes"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert sorted(name for name in models if name.startswith("stg_")) == staging
    assert ("fct_fhv_trips" in models) is ("stg_fhv_tripdata" in staging)
    assert ("fct_trips" in models) is ("fct_distinct_trips" in models) is ("dm_monthly_zone_revenue" in models) is marts
    tables = {name.removeprefix("stg_") for name in staging}
    assert {source.table for source in sources_used(manifest)} == {*tables, ZONES_TABLE}
    if marts:
        assert sorted(models["fct_trips"]) == sorted(
            ["model.taxi.dim_zones", *(f"model.taxi.{name}" for name in staging if name != "stg_fhv_tripdata")]
        )
        tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
        assert {"fct_trips_drops_nothing", "monthly_revenue_adds_up", "monthly_trips_add_up"} <= tests


def test_dbt_without_a_choice_takes_the_default_one() -> None:
    macro = (locations.PROFILES / "macros" / "taxis.sql").read_text("utf-8")
    assert f'env_var("TAXI_TAXIS", "{",".join(settings.DEFAULT_TAXIS)}")' in macro
