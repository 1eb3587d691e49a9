"""What all tests of the loading path start from."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from taxi_assets.reachability import known_address
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.paths import WITHOUT_DBT
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Project
from taxi_assets_tests.quick import quick

for _name, _value in WITHOUT_DBT.items():
    os.environ.setdefault(_name, _value)  # tests of dbt ask for it

# A shell that runs the tests in the background ignores Ctrl-C for them, and so would all programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="run what make quick runs: see taxi_assets_tests/quick.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        chosen = list(quick(items))
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen


@pytest.fixture(autouse=True)
def _no_address_is_known() -> None:
    """A test knows as little about addresses as a new process."""
    known_address.cache_clear()


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
