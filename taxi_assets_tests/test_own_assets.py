"""The guide's example of a user's own asset works as it stands, in a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.test_commands import run

GUIDE = (PROJECT / "docs" / "guide.md").read_text("utf-8")
SECTION = GUIDE[GUIDE.index("## Your own assets") : GUIDE.index("## Where things are kept")]
FOLDER = Path("taxi_assets") / "defs"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the guide's example in its folder."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copytree(
        PROJECT / "taxi_assets",
        copy / "taxi_assets",
        ignore=lambda folder, names: names if Path(folder) == PROJECT / FOLDER else ["__pycache__"],
    )
    for name in (PROJECT / FOLDER / "__init__.py", PROJECT / "pyproject.toml", PROJECT / "dagster.yaml"):
        shutil.copy(name, copy / name.relative_to(PROJECT))
    (example,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    (name,) = re.findall(r"a file `(\w+\.py)` in it", SECTION)
    (copy / FOLDER / name).write_text(example, "utf-8")
    return copy


def dg(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(project, "dagster_dg_cli.cli", *options, PYTHONPATH=str(project), TAXI_SOURCE="sample", TAXI_DBT="none")


def test_the_definitions_load_with_the_example(project: Path) -> None:
    result = dg(project, "check", "defs")
    assert result.returncode == 0, result.stderr
    assert "All definitions loaded successfully" in result.stdout


def test_the_example_s_asset_check_and_schedule_are_there(project: Path) -> None:
    result = dg(project, "list", "defs", "--json")
    assert result.returncode == 0, result.stderr
    for name in ("tips_by_hour", "tips_are_not_negative", "tips_every_noon", "duckdb/green_tripdata"):
        assert f'"{name}"' in result.stdout


def test_the_example_s_asset_becomes_a_checked_table(project: Path) -> None:
    loaded = dg(project, "launch", "--assets", '+key:"duckdb/green_tripdata"', "--partition", "2020-10")
    assert loaded.returncode == 0, loaded.stderr
    made = dg(project, "launch", "--assets", "tips_by_hour")
    assert made.returncode == 0, made.stderr
    assert "Asset check 'tips_are_not_negative' on 'tips_by_hour' passed" in made.stderr
    with duckdb.connect(project / "home" / "warehouse.duckdb", read_only=True) as connection:
        ((hours, trips),) = connection.execute("SELECT count(*), sum(trips) FROM tips_by_hour").fetchall()
        ((expected,),) = connection.execute("SELECT count(*) FROM green_tripdata").fetchall()
    assert (hours, trips) == (24, expected)


def test_what_dg_scaffolds_is_loaded(project: Path) -> None:
    result = dg(project, "scaffold", "defs", "dagster.asset", "scaffolded.py")
    assert result.returncode == 0, result.stderr
    assert (project / FOLDER / "scaffolded.py").is_file()
    assert '"scaffolded"' in dg(project, "list", "defs", "--json").stdout
