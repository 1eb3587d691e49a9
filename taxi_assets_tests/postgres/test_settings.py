"""Where the server is comes from the environment, and what is wrong there is said in one sentence without secrets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typing_extensions import override

from taxi_assets import last_words
from taxi_assets.build import build_definitions
from taxi_assets.definitions import defs
from taxi_assets.errors import SettingsError, WarehouseError
from taxi_assets.warehouses import configured_warehouses, postgres
from taxi_assets.warehouses.postgres import connection as connection_module
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

PASSWORD = "hunter2-very-secret"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TAXI_POSTGRES_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is given up at once."""
    monkeypatch.setattr(connection_module, "_PATIENCE_SECONDS", 0.0)


class ProjectFromEnvironment(PostgresProject):
    """A project that finds its server as a user's does."""

    @override
    def definitions(self, **settings: Any) -> dg.Definitions:
        resources = {"source": self.trip_source()}
        return build_definitions(warehouses=[postgres.WAREHOUSE], resources=resources, retries=self.retries)


@pytest.fixture
def settings(server_url: str, schema: str) -> dict[str, str]:
    """Variables that name the server by its parts."""
    parts = conninfo_to_dict(server_url)
    return {
        "TAXI_POSTGRES_HOST": str(parts["host"]),
        "TAXI_POSTGRES_PORT": str(parts.get("port", 5432)),
        "TAXI_POSTGRES_DATABASE": str(parts["dbname"]),
        "TAXI_POSTGRES_USER": str(parts["user"]),
        "TAXI_POSTGRES_PASSWORD": str(parts["password"]),
        "TAXI_POSTGRES_SCHEMA": schema,
    }


Configure = Callable[[dict[str, str]], PostgresProject]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Makes a project whose server these variables name."""

    def with_variables(variables: dict[str, str]) -> PostgresProject:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        project = ProjectFromEnvironment(tmp_path, "", "")
        project.put(made_trips(GREEN, JANUARY, 10))
        return project

    return with_variables


def everything_told(project: PostgresProject, run_id: str) -> str:
    """All that Dagster keeps of a run: events, messages, errors with their causes, metadata and configuration."""
    run = project.instance.get_run_by_id(run_id)
    return "\n".join([repr(run), *(repr(event) for event in project.instance.all_logs(run_id))])


def test_without_settings_postgres_is_no_part_of_the_graph():
    assert postgres.WAREHOUSE not in configured_warehouses()
    assert defs is not None


@pytest.mark.parametrize("variable", ["TAXI_POSTGRES_URL", "TAXI_POSTGRES_HOST"])
def test_one_variable_switches_postgres_on(monkeypatch: pytest.MonkeyPatch, variable: str):
    monkeypatch.setenv(variable, "whatever")
    assert postgres.WAREHOUSE in configured_warehouses()
    keys = build_definitions(warehouses=configured_warehouses()).resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["postgres", "green_tripdata"]) in keys


def test_a_month_is_loaded_by_the_servers_parts(
    tmp_path: Path,
    configure: Configure,
    settings: dict[str, str],
    schema: str,
    server_url: str,
):
    project = configure(settings)
    outcome = project.run()
    assert outcome.success
    assert PostgresProject(tmp_path, server_url, schema).query("SELECT count(*) FROM green_tripdata") == [(10,)]
    assert settings["TAXI_POSTGRES_PASSWORD"] not in everything_told(project, outcome.result.run_id)


def test_a_month_is_loaded_by_a_url(
    tmp_path: Path, configure: Configure, schema: str, server_url: str, capfd: pytest.CaptureFixture[str]
):
    project = configure({"TAXI_POSTGRES_URL": server_url, "TAXI_POSTGRES_SCHEMA": schema})
    outcome = project.run()
    assert outcome.success
    assert PostgresProject(tmp_path, server_url, schema).query("SELECT count(*) FROM green_tripdata") == [(10,)]
    printed = "".join(capfd.readouterr())
    password = str(conninfo_to_dict(server_url)["password"])
    assert password not in everything_told(project, outcome.result.run_id) + printed


@pytest.mark.parametrize("missing", ["DATABASE", "USER"])
def test_a_missing_part_is_named(configure: Configure, settings: dict[str, str], missing: str):
    del settings[f"TAXI_POSTGRES_{missing}"]
    outcome = configure(settings).run()
    assert outcome.failure.endswith(
        f"TAXI_POSTGRES_{missing} is not set: set it, or set TAXI_POSTGRES_URL instead of all parts."
    )
    assert "\n" not in outcome.failure


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"PASSWORD": PASSWORD}, "check user and password in TAXI_POSTGRES_USER and TAXI_POSTGRES_PASSWORD."),
        ({"USER": "nobody_here"}, "check user and password in TAXI_POSTGRES_USER and TAXI_POSTGRES_PASSWORD."),
        ({"DATABASE": "no_such"}, "check the names of database and user in TAXI_POSTGRES_DATABASE and"),
        ({"PORT": "1"}, "start the server, or check host and port in TAXI_POSTGRES_HOST and TAXI_POSTGRES_PORT."),
        ({"PORT": "many"}, "start the server, or check host and port in TAXI_POSTGRES_HOST and TAXI_POSTGRES_PORT."),
        ({"HOST": "host.invalid"}, "start the server, or check host and port in TAXI_POSTGRES_HOST and"),
    ],
)
def test_a_wrong_part_is_named_without_the_password(
    configure: Configure,
    settings: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    wrong: dict[str, str],
    remedy: str,
):
    settings |= {f"TAXI_POSTGRES_{part}": value for part, value in wrong.items()}
    project = configure(settings)
    outcome = project.run()
    assert remedy in outcome.failure
    assert "\n" not in outcome.failure
    told = everything_told(project, outcome.result.run_id) + "".join(capfd.readouterr())
    assert settings["TAXI_POSTGRES_PASSWORD"] not in told


@pytest.mark.parametrize(
    ("wrong", "is_transient"),
    [({"PORT": "1"}, True), ({"PASSWORD": PASSWORD}, False), ({"DATABASE": "no_such"}, False)],
)
def test_only_a_server_that_does_not_answer_is_worth_a_retry(
    configure: Configure, settings: dict[str, str], wrong: dict[str, str], is_transient: bool
):
    settings |= {f"TAXI_POSTGRES_{part}": value for part, value in wrong.items()}
    error = configure(settings).run().error
    assert ("WarehouseUnreachableError" in error) == is_transient


def test_a_server_that_never_answered_is_given_up_soon_and_all_months_share_that(
    configure: Configure, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection_module, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(connection_module, "_PAUSE_SECONDS", 0.1)
    project = configure(settings | {"TAXI_POSTGRES_PORT": "1"})
    project.put(made_trips(GREEN, FEBRUARY, 10), FEBRUARY)
    outcome = project.run("2019-01...2019-02", checks=False)
    headline, cause = outcome.failure.split("\n")
    assert headline == "2 of 2 months failed:"
    assert cause.startswith("2019-01...2019-02, postgres/green_tripdata_month: PostgreSQL at ")
    assert outcome.log.count("The technical cause") < 3, "the second month asks nobody"


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_server_that_never_answered_is_waited_for_only_if_nobody_waits_for_the_run(
    configure: Configure, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, is_watched: bool
):
    program = "dagster" if is_watched else "dagster-daemon"
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{program}", "asset", "materialize"])
    monkeypatch.setattr(last_words, "_sentences", {})
    project = configure(settings | {"TAXI_POSTGRES_PORT": "1"})
    project.retries = dg.RetryPolicy(max_retries=1)
    result = project.run(checks=False).result
    assert any(event.is_step_up_for_retry for event in result.all_events) != is_watched


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{PASSWORD}@host/database",
        f"postgresql://user:{PASSWORD}%zz@host/database",
        f"postgresql://user:{PASSWORD}/more@host/database",
        f"postgresql://user:{PASSWORD[:3]}@{PASSWORD}@host/database",
        f"postgresql://user:{PASSWORD}@host:port/database",
        f"postgresql://user:{PASSWORD}@host/database?no_such=1",
    ],
)
def test_an_unreadable_url_is_refused_and_never_shown(
    configure: Configure, capfd: pytest.CaptureFixture[str], url: str
):
    project = configure({"TAXI_POSTGRES_URL": url})
    outcome = project.run()
    assert "TAXI_POSTGRES_URL can't be read as a connection: write postgresql://user:password@" in outcome.failure
    assert "\n" not in outcome.failure
    assert PASSWORD not in everything_told(project, outcome.result.run_id) + "".join(capfd.readouterr())


def test_what_a_url_says_about_the_connection_holds():
    url = "postgresql://user@host/database?keepalives_idle=7&connect_timeout=3&application_name=mine"
    parts = conninfo_to_dict(PostgresWarehouse(url=url).conninfo())
    said = {name: parts[name] for name in ("keepalives_idle", "connect_timeout", "application_name")}
    assert {name: str(value) for name, value in said.items()} == {
        "keepalives_idle": "7",
        "connect_timeout": "3",
        "application_name": "mine",
    }
    assert parts["tcp_user_timeout"], "the rest keeps its default"


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"password": PASSWORD}, "check user and password in TAXI_POSTGRES_URL."),
        ({"database": "no_such"}, "check the names of database and user in TAXI_POSTGRES_URL, or create them."),
        ({"port": "1"}, "start the server, or check host and port in TAXI_POSTGRES_URL."),
    ],
)
def test_a_wrong_url_is_named_without_the_password(
    configure: Configure, server_url: str, change: dict[str, str], remedy: str
):
    parts = conninfo_to_dict(server_url)
    named = {"password": parts["password"], "port": parts.get("port", 5432), "database": parts["dbname"], **change}
    url = f"postgresql://{parts['user']}:{named['password']}@{parts['host']}:{named['port']}/{named['database']}"
    project = configure({"TAXI_POSTGRES_URL": url})
    outcome = project.run()
    assert remedy in outcome.failure
    assert "\n" not in outcome.failure
    assert str(named["password"]) not in everything_told(project, outcome.result.run_id)


def test_causes_stay_chained_and_hold_no_password(server_url: str):
    parts = conninfo_to_dict(server_url)
    url = f"postgresql://{parts['user']}:{PASSWORD}@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"
    with pytest.raises(WarehouseError) as refused, PostgresWarehouse(url=url).get_connection():
        raise AssertionError("the server let us in")
    error: BaseException | None = refused.value
    assert isinstance(error.__cause__, psycopg.OperationalError)
    while error:
        assert PASSWORD not in str(error)
        error = error.__cause__ or error.__context__


def test_an_unreadable_url_has_no_cause_that_shows_it():
    with pytest.raises(SettingsError) as refused:
        PostgresWarehouse(url=f"postgresql://user:{PASSWORD}%zz@host/database").conninfo()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
