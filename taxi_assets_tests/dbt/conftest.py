"""What all tests of dbt start from: dbt itself, and a project whose trips are in DuckDB and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taxi_assets.dbt import locations
from taxi_assets_tests.dbt.project import DbtProject
from taxi_assets_tests.postgres.conftest import schema_of_ones_own, server_url  # noqa: F401 - a fixture


@pytest.fixture(autouse=True, scope="module")
def dbt() -> Iterator[None]:
    """The graph of these tests has dbt's models, which that of others goes without, to load faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TAXI_DBT", raising=False)
        if not locations.is_installed():
            pytest.skip("no dbt: run “make dbt”")
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home folder of the module's own, for what dbt writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAXI_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def project(
    home: None,
    tmp_path_factory: pytest.TempPathFactory,
    server_url: str,  # noqa: F811
) -> Iterator[DbtProject]:
    """A project with an empty source, whose warehouses are a DuckDB file and a schema of the server."""
    with schema_of_ones_own(server_url) as schema:
        yield DbtProject(tmp_path_factory.mktemp("project"), server_url, schema)
