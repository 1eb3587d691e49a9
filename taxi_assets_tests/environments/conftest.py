"""Both installers, and a machine that knows no package index but the one of the test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from environments.making import make
from taxi_assets_tests.environments.package_index import write_wheels


@dataclass(frozen=True)
class Made:
    """An environment that one of the installers has made, with `tiny` in it."""

    installer: str
    folder: Path
    lines: list[str]


def uv_folder() -> str:
    """The folder of uv, on the PATH or beside this Python, where the extra `dev` installs it."""
    found = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if found is None:
        pytest.skip("uv is not installed")
    return str(Path(found).parent)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheels(tmp_path_factory.mktemp("wheels"))


def variables(installer: str, home: Path, wheels: Path) -> Mapping[str, str]:
    """A machine without settings of uv and pip, where these wheels are the only packages."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_", "PYTHON"))}
    path = os.pathsep.join([uv_folder(), ours["PATH"]]) if installer == "uv" else ours["PATH"]
    return {
        **ours,
        "PATH": path,
        "TAXI_INSTALLER": installer,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
        "UV_CACHE_DIR": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home),
    }


def use(monkeypatch: pytest.MonkeyPatch, wanted: Mapping[str, str]) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session", params=["uv", "pip"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Made:
    home = tmp_path_factory.mktemp(request.param)
    constraints = home / "constraints.txt"
    constraints.write_text("tiny==1.0\n", "utf-8")
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch, variables(request.param, home, wheels))
        make(home / "venv", ["tiny"], constraints=constraints, what="a small package", say=lines.append)
    return Made(request.param, home / "venv", lines)


@pytest.fixture
def machine(made: Made, tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables of the environment's installer are set."""
    use(monkeypatch, variables(made.installer, tmp_path, wheels))
    return monkeypatch
