"""A dbt project is fetched from a branch and a folder of a git repository, and replaces the one here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.build import build_definitions
from taxi_assets.dbt import locations
from taxi_assets.dbt.git import GitSource
from taxi_assets.errors import DbtError, SettingsError
from taxi_assets.warehouses import duckdb
from taxi_assets_tests.project import Project

_OWN_MODEL = "select service_type, count(*) as trips from {{ ref('fct_trips') }} group by service_type\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository whose branch ``ours`` has the project, and a model of its own, in ``analytics/taxi``."""
    work, bare = tmp_path / "work", tmp_path / "remote.git"
    shutil.copytree(locations.PROFILES, work / "analytics" / "taxi")
    (work / "analytics" / "taxi" / "models" / "marts" / "trips_by_service.sql").write_text(_OWN_MODEL)
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "ours", work], check=True)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Models")
    subprocess.run(["git", "clone", "--quiet", "--bare", work, bare], check=True)
    return bare


def test_models_from_a_repository_take_the_place_of_those_here(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAXI_DBT_GIT_URL", f"file://{repository}")
    monkeypatch.setenv("TAXI_DBT_GIT_BRANCH", "ours")
    monkeypatch.setenv("TAXI_DBT_GIT_FOLDER", "analytics/taxi")
    project = Project(tmp_path)
    before = build_definitions(warehouses=[duckdb.WAREHOUSE])
    result = before.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("dbt_project")], instance=project.instance
    )
    after = build_definitions(warehouses=[duckdb.WAREHOUSE]).resolve_asset_graph()

    (materialization,) = result.asset_materializations_for_node("dbt_project")
    assert "trips_by_service" in materialization.metadata["models"].value
    assert duckdb.WAREHOUSE.key("trips_by_service") not in before.resolve_asset_graph().get_all_asset_keys()
    assert duckdb.WAREHOUSE.key("trips_by_service") in after.get_all_asset_keys()
    assert after.get(duckdb.WAREHOUSE.key("trips_by_service")).is_partitioned


def test_a_new_commit_replaces_the_old_one(repository: Path, tmp_path: Path) -> None:
    source = GitSource(f"file://{repository}", folder="analytics/taxi")
    state = tmp_path / "state"
    first = source.sync(state)
    work = tmp_path / "work"
    (work / "analytics" / "taxi" / "models" / "marts" / "trips_by_service.sql").unlink()
    git(work, "commit", "--quiet", "--all", "--message", "Without")
    git(work, "push", "--quiet", str(repository), "ours")
    second = source.sync(state)

    assert first != second
    project = source.synced(state)
    assert project is not None
    assert not (project / "models" / "marts" / "trips_by_service.sql").exists()
    assert [path.name for path in (state / "synced").iterdir()] == [second]


def test_a_repository_that_was_not_synced_yet_is_not_taken_for_another_one(repository: Path, tmp_path: Path) -> None:
    GitSource(f"file://{repository}", folder="analytics/taxi").sync(tmp_path / "state")

    assert GitSource("file:///elsewhere.git", folder="analytics/taxi").synced(tmp_path / "state") is None


def test_a_folder_without_a_project_is_refused_and_what_was_there_stays(repository: Path, tmp_path: Path) -> None:
    good = GitSource(f"file://{repository}", folder="analytics/taxi")
    good.sync(tmp_path / "state")

    with pytest.raises(SettingsError, match=r"no dbt_project.yml in the folder “analytics”: .*TAXI_DBT_GIT_FOLDER"):
        GitSource(f"file://{repository}", folder="analytics").sync(tmp_path / "state")
    assert good.synced(tmp_path / "state") is not None


def test_a_password_in_the_address_is_never_shown(tmp_path: Path) -> None:
    source = GitSource("http://somebody:pa%40ss@127.0.0.1:9/models.git?token=hidden")

    with pytest.raises(DbtError, match=r"127\.0\.0\.1:9/models\.git") as caught:
        source.sync(tmp_path / "state")
    shown = f"{caught.value} {caught.value.__cause__} {source!r} {source.address}"
    assert not [secret for secret in ("somebody", "pa%40ss", "pa@ss", "hidden") if secret in shown]
