"""What all tests of the loading path start from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Project

# Tests of dbt ask for it; for all others the graph loads faster without its models.
os.environ.setdefault("TAXI_DBT", "not wanted here")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an empty source and no warehouse yet."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def _loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("loaded"))
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
    assert project.run("2019-01...2019-02").success
    return project.folder


@pytest.fixture
def loaded(_loaded_once: Path, tmp_path: Path) -> Project:
    """A project whose warehouse holds January and February 2019 of the green taxis, sixty trips each."""
    shutil.copytree(_loaded_once, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)
