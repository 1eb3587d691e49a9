"""The lake is off by default, and one variable says where it is."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.build import build_definitions
from taxi_assets.warehouses import configured_warehouses, lake
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LOG, LakeProject
from taxi_assets_tests.project import GREEN, JANUARY


@pytest.mark.parametrize("value", [None, "", "no", "0"])
def test_without_a_setting_the_lake_is_no_part_of_the_graph(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAXI_LAKE", raising=False)
    if value is not None:
        monkeypatch.setenv("TAXI_LAKE", value)
    assert lake.WAREHOUSE not in configured_warehouses()


@pytest.mark.parametrize(
    ("value", "folder"), [("yes", "home/lake"), ("1", "home/lake"), ("elsewhere", "elsewhere"), ("~/lake", "~/lake")]
)
def test_a_setting_switches_the_lake_on_and_says_where_it_is(
    value: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAXI_LAKE", value)
    monkeypatch.chdir(tmp_path)
    assert lake.WAREHOUSE in configured_warehouses()
    assert lake.WAREHOUSE.resources()["lake"].folder.path == tmp_path / Path(folder).expanduser()
    keys = build_definitions(warehouses=configured_warehouses()).resolve_asset_graph().get_all_asset_keys()
    assert {dg.AssetKey(["lake", name]) for name in ("green_tripdata_month", "green_tripdata", "taxi_zones")} <= keys
    assert not any(key.path[0] == "lake" and "fct" in key.path[-1] for key in keys), "dbt has no models there"


def test_an_address_that_is_no_folder_is_refused_in_one_sentence(project: LakeProject) -> None:
    project.put(made_trips(GREEN, JANUARY, 5))
    outcome = project.run(checks=False, address="gs://bucket/lake")
    assert outcome.failure.endswith(
        "TAXI_LAKE is “gs://bucket/lake”, but the lake can only be in a folder of this machine: set it to one, or to "
        "yes for the folder lake in TAXI_HOME."
    )


def test_a_folder_whose_name_has_wildcards_is_a_folder(project: LakeProject) -> None:
    project.root = project.home / "what*is[this]?"
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.load() == (5, 0, 0)
    assert project.lake().profile_month(GREEN, JANUARY, "main", LOG).rows == 5
    assert len(project.lake().read(GREEN.table, None).fetchall()) == 5
    assert len(project.lake().read(GREEN.month_asset, [JANUARY]).fetchall()) == 5
