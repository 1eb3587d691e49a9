"""What dbt's project says agrees with what the taxis are, and the graph loads without dbt."""

from __future__ import annotations

import os
import subprocess
import sys

from taxi_assets.dbt import locations
from taxi_assets.dbt.manifest import find_manifest
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
