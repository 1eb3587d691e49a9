"""What Dagster and its users see of the graph before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg
import pytest

from taxi_assets.build import build_definitions
from taxi_assets.taxis import chosen_taxis
from taxi_assets.warehouses import all_warehouses, configured_warehouses

DEFINITIONS = build_definitions()
GRAPH = DEFINITIONS.resolve_asset_graph()


def key(text: str) -> dg.AssetKey:
    return dg.AssetKey(text.split("/"))


def test_it_loads_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TAXI_")]:
        monkeypatch.delenv(name)
    dg.Definitions.validate_loadable(build_definitions())


def test_duckdb_needs_no_settings_to_be_there() -> None:
    assert "duckdb" in [warehouse.name for warehouse in configured_warehouses()]


def test_warehouses_are_found_by_looking_and_the_default_one_comes_first() -> None:
    default, *others = [warehouse.name for warehouse in all_warehouses()]
    assert default == "duckdb"
    assert others == sorted(others)
    assert {"bigquery", "postgres"} <= set(others)


def test_what_is_not_configured_is_not_imported() -> None:
    code = (
        "import sys, taxi_assets.definitions;"
        "print([name for name in sys.modules if name.startswith(('google.cloud', 'dagster_gcp', 'psycopg', 'adbc_',"
        "'matplotlib', 'polars'))])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GCP_", "TAXI_"))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_asset_keys_read_like_what_they_are() -> None:
    taxis = chosen_taxis()
    expected = {"raw/taxi_zones", "duckdb/taxi_zones"}
    for taxi in taxis:
        expected |= {f"raw/{taxi}_tripdata", f"duckdb/{taxi}_tripdata_month", f"duckdb/{taxi}_tripdata"}
    assert {found.to_user_string() for found in GRAPH.get_all_asset_keys()} >= expected


def test_a_month_goes_from_the_raw_file_to_the_main_table() -> None:
    assert GRAPH.get(key("duckdb/green_tripdata")).parent_keys == {key("duckdb/green_tripdata_month")}
    assert GRAPH.get(key("duckdb/green_tripdata_month")).parent_keys == {key("raw/green_tripdata")}


@pytest.mark.parametrize("found", sorted(GRAPH.get_all_asset_keys()), ids=lambda found: found.to_user_string())
def test_every_asset_explains_itself(found: dg.AssetKey) -> None:
    node = GRAPH.get(found)
    assert node.description
    assert node.kinds
    assert node.owners
    assert node.code_version
    assert node.group_name == found.path[0]
    if node.kinds & {"table", "csv"}:
        columns = node.metadata["dagster/column_schema"].columns
        assert columns
        assert all(column.description for column in columns)


def test_partition_keys_read_like_the_file_names() -> None:
    partitions = GRAPH.get(key("duckdb/yellow_tripdata")).partitions_def
    assert partitions is not None
    keys = partitions.get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == ("2019-01", "2021-07", 31)


def test_the_zones_have_no_partitions() -> None:
    assert GRAPH.get(key("duckdb/taxi_zones")).partitions_def is None


def test_a_range_of_months_is_one_run() -> None:
    for found in GRAPH.get_all_asset_keys():
        if found.path[0] == "getting_started":  # has nothing to do with months
            continue
        assert GRAPH.get(found).backfill_policy == dg.BackfillPolicy.single_run()


def test_row_counts_block_what_is_downstream() -> None:
    for name in ("rows_match_file", "rows_match_published"):
        spec = GRAPH.get_check_spec(dg.AssetCheckKey(key("duckdb/green_tripdata_month"), name))
        assert spec.blocking


def test_building_the_graph_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    build_definitions()
    assert [str(warning.message) for warning in recwarn if "dagster" in type(warning.message).__module__] == []
