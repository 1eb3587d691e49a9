"""Health checks of docker-compose.yml: right in both directions, and cheap enough to be asked every few seconds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml

from local_services.compose import COMPOSE_FILE, filled_in
from local_services.postgres import free_port
from taxi_assets.deployment.health import DAEMONS, daemons_report
from taxi_assets_tests.deployment.running import Running
from taxi_assets_tests.paths import PROJECT

SERVICES: Mapping[str, Mapping[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
OF_DAGSTER = ["code", "webserver", "daemon"]

each_service = pytest.mark.parametrize("name", OF_DAGSTER)


def check(name: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a service's health check as its container would."""
    program, *arguments = SERVICES[name]["healthcheck"]["test"][1:]
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def settings_of(name: str) -> dict[str, str]:
    written = {key: filled_in(str(value), {}) for key, value in SERVICES[name]["environment"].items()}
    return {key: "127.0.0.1" if key.endswith("_HOST") else value for key, value in written.items()}


@each_service
def test_a_service_that_is_not_there_is_not_healthy(name: str):
    nobody = {key: str(free_port()) for key in settings_of(name) if key.endswith("_PORT")}
    checked = check(name, {**settings_of(name), **nobody})
    assert checked.returncode == 1, checked.stderr
    assert not checked.stderr


@each_service
def test_a_service_that_works_is_healthy_at_the_cost_of_a_fraction_of_a_second(running: Running, name: str):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    checked = check(name, running.machine.services[name].environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # Twice of what was measured on a machine that had other work to do.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 0.5


def test_a_daemon_that_no_longer_reports_is_not_healthy(running: Running):
    settings = running.machine.services["daemon"].environment
    with psycopg.connect(
        host="127.0.0.1",
        port=settings["DAGSTER_POSTGRES_PORT"],
        dbname=settings["DAGSTER_POSTGRES_DATABASE"],
        user=settings["DAGSTER_POSTGRES_USER"],
        password=settings["DAGSTER_POSTGRES_PASSWORD"],
        autocommit=True,
    ) as connection:
        assert daemons_report(settings)
        # The scheduler's next report, within half a minute, mends it.
        connection.execute(
            "UPDATE daemon_heartbeats SET timestamp = timestamp - interval '1 hour' WHERE daemon_type = 'SCHEDULER'"
        )
        assert not daemons_report(settings)
        connection.execute(
            "UPDATE daemon_heartbeats SET timestamp = timestamp + interval '1 hour' WHERE daemon_type = 'SCHEDULER'"
        )


def test_the_daemons_that_must_report_are_those_that_dagster_starts(tmp_path: Path):
    settings = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text())
    # Which daemons there are does not depend on where their state is.
    del settings["storage"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert set(instance.get_required_daemon_types()) == DAEMONS


@each_service
def test_a_check_does_not_import_dagster(name: str):
    imported = "import sys; from taxi_assets.deployment import health; health.main([sys.argv[1]]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", imported, name],
        cwd=PROJECT,
        env={**os.environ, **settings_of(name)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "dagster" not in done.stdout.split()
    assert "taxi_assets.settings" not in done.stdout.split()
