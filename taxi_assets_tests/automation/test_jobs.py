"""There is a job for each warehouse and one for all, and a setting says how many months a run takes."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from taxi_assets.assets.trips import trip_assets
from taxi_assets.automation.jobs import load_jobs
from taxi_assets.dagster_errors import NO_RETRIES
from taxi_assets.errors import SettingsError
from taxi_assets.taxis import chosen_taxis
from taxi_assets.warehouses import all_warehouses
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import Project

WAREHOUSES = all_warehouses()


def selected(name: str) -> set[str]:
    """Keys of the assets that a job loads."""
    assets = [trip_assets(taxi, WAREHOUSES, NO_RETRIES) for taxi in chosen_taxis().values()]
    jobs = load_jobs(WAREHOUSES)
    (job,) = [job for job in (*jobs.each, jobs.everywhere) if job.name == name]
    keys = job.selection.resolve(assets)
    return {key.to_user_string() for key in keys}


def trips_of(warehouse: WarehouseKind) -> set[str]:
    taxis = chosen_taxis().values()
    return {warehouse.key(name).to_user_string() for taxi in taxis for name in (taxi.table, taxi.month_asset)}


RAW = {f"raw/{taxi.table}" for taxi in chosen_taxis().values()}


@pytest.mark.parametrize("warehouse", WAREHOUSES, ids=lambda warehouse: warehouse.name)
def test_a_warehouse_has_a_job_that_fills_it_and_no_other(warehouse: WarehouseKind) -> None:
    keys = selected(f"load_{warehouse.name}")
    assert RAW | trips_of(warehouse) <= keys
    others = set().union(*(trips_of(other) for other in WAREHOUSES if other is not warehouse))
    assert not keys & others


def test_one_job_fills_all_warehouses() -> None:
    assert RAW.union(*(trips_of(warehouse) for warehouse in WAREHOUSES)) <= selected("load_all")


def test_steps_that_carry_trips_share_a_pool_whose_limit_dagster_yaml_sets(tmp_path: Path) -> None:
    job = Project(tmp_path).definitions().resolve_job_def("load_all")
    assert {node.definition.pool for node in job.nodes} == {"trips"}
    pools = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))["concurrency"]["pools"]
    assert pools == {"granularity": "run", "default_limit": 2}


def test_dagster_accepts_the_instance_settings(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.global_op_concurrency_default_limit == 2
        assert instance.run_retries_enabled


def test_a_setting_limits_the_months_of_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAXI_MONTHS_PER_RUN", "1")
    graph = Project(tmp_path).definitions().resolve_asset_graph()
    policies = {graph.get(key).backfill_policy for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned}
    assert policies == {dg.BackfillPolicy.multi_run(1)}


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "all"])
def test_a_number_of_months_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setenv("TAXI_MONTHS_PER_RUN", value)
    with pytest.raises(SettingsError, match=rf"TAXI_MONTHS_PER_RUN is “{value}”: set it to a whole number, 1 or more."):
        Project(tmp_path).definitions()
