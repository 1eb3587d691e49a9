"""What tests of the feed start from: a project for each kind of warehouse, with an empty feed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_assets_tests.feed.project import FedProject, PostgresFedProject
from taxi_assets_tests.postgres.conftest import schema, server_url
from taxi_assets_tests.source.file_server import FileServer

__all__ = ["schema", "server_url"]


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A web server that offers nothing yet."""
    with FileServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _months_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions are those that TAXI_SOURCE=feed gives."""
    monkeypatch.setenv("TAXI_SOURCE", "feed")


@pytest.fixture
def fed(tmp_path: Path) -> FedProject:
    """A project that loads into DuckDB."""
    (tmp_path / "feed").mkdir()
    return FedProject(tmp_path)


@pytest.fixture(params=["duckdb", "postgres"])
def fed_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> FedProject:
    """A project that loads into DuckDB, and one that loads into PostgreSQL."""
    (tmp_path / "feed").mkdir()
    if request.param == "duckdb":
        return FedProject(tmp_path)
    return PostgresFedProject(tmp_path, request.getfixturevalue("server_url"), request.getfixturevalue("schema"))
