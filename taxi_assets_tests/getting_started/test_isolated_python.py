"""A script runs in an environment of its own, with packages of its own, and hands a value and metadata back."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.errors import IsolatedPythonError
from taxi_assets.getting_started.resources import isolated_python
from taxi_assets.getting_started.resources.isolated_python import IsolatedPython
from taxi_assets_tests.getting_started.group import Group
from taxi_assets_tests.getting_started.wheels import put_wheels

REQUIREMENTS = Path(isolated_python.__file__).parents[1] / "isolated" / "requirements.txt"
LOG = dg.get_dagster_logger()


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels in place of the package index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def own_requirements() -> list[str]:
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_a_value_and_metadata_come_back(group: Group, packages: Path) -> None:
    put_wheels(packages, own_requirements())
    outcome = group.run("holidays", config={"holidays": {"year": 2021}})
    assert outcome.success, outcome.error
    holidays = group.value("holidays")
    assert holidays["2021-01-01"] == "New Year's Day"
    assert holidays["2021-12-25"] == "Christmas Day"
    metadata = group.metadata(outcome, "holidays")
    assert (metadata["year"], metadata["holidays"]) == (2021, len(holidays))
    assert metadata["environment"].startswith(str(group.environments))
    assert "Making an environment" in outcome.log
    assert "Looking up 2021 with holidays" in outcome.log
    again = group.run("holidays")
    assert again.success
    assert "Making an environment" not in again.log
    assert "2020-11-26" in group.value("holidays")


def test_it_has_its_own_packages_and_none_of_the_project_s(tmp_path: Path, packages: Path) -> None:
    put_wheels(packages, ["six==1.17.0"])
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    python = IsolatedPython(folder=str(tmp_path)).with_packages(tmp_path / "requirements.txt", LOG)
    script = "import six, dagster_pipes, importlib.util as u; print(u.find_spec('dagster'), u.find_spec('duckdb'))"
    shown = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["None", "None"]
    assert importlib.util.find_spec("dagster") is not None


def test_other_requirements_are_another_environment(tmp_path: Path, packages: Path) -> None:
    put_wheels(packages, ["six==1.17.0"])
    environments = IsolatedPython(folder=str(tmp_path))
    found = []
    for text in ("six==1.17.0\n", "# nothing\n"):
        (tmp_path / "requirements.txt").write_text(text)
        found.append(environments.with_packages(tmp_path / "requirements.txt", LOG))
    assert found[0] != found[1]


def test_packages_that_can_t_be_had_are_one_sentence_and_leave_nothing_half_made(
    tmp_path: Path, packages: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    environments = IsolatedPython(folder=str(tmp_path))
    with pytest.raises(IsolatedPythonError, match=r"can't be installed \(No matching distribution found for six"):
        environments.with_packages(tmp_path / "requirements.txt", LOG)
    put_wheels(packages, ["six==1.17.0"])
    assert environments.with_packages(tmp_path / "requirements.txt", LOG).exists()
