"""``make dev`` ends with all of its processes soon after a signal, and takes up the runs that it lost that way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import httpx2
import psutil
import pytest
from dagster._core.test_utils import create_run_for_test

from local_services.postgres import free_port
from taxi_assets.dagster_internals import CODE_SERVER_TAG
from taxi_assets.dev import report_lost_runs
from taxi_assets_tests.deployment.running import until
from taxi_assets_tests.paths import PROJECT, WITHOUT_DBT


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/server_info", timeout=5).is_success
    except httpx2.HTTPError:
        return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_all_processes_within_seconds(tmp_path: Path, ending: signal.Signals):
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    started = subprocess.Popen(
        [sys.executable, "-m", "taxi_assets.dev", "--port", str(port)],
        cwd=PROJECT,
        env={**inherited, **WITHOUT_DBT, "TAXI_HOME": str(tmp_path), "TAXI_SOURCE": "sample"},
        start_new_session=True,
    )
    family: list[psutil.Process] = []
    try:
        until("the UI answers", lambda: answers(port))
        family = psutil.Process(started.pid).children(recursive=True)
        # dagster dev, the webserver, the daemon and a code server.
        assert len(family) >= 4
        started.send_signal(ending)
        assert started.wait(timeout=30) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive
        assert not answers(port)
    finally:
        for process in [*family, started]:
            if process.pid and psutil.pid_exists(process.pid):
                process.kill()
        started.wait()


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    return dg.DagsterInstance.from_config(str(tmp_path))


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_a_run_that_was_lost_is_reported_as_failed_and_will_be_retried(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
):
    tags = {CODE_SERVER_TAG: json.dumps({"host": "localhost", "socket": "/gone"})}
    run = create_run_for_test(instance, status=status, tags=tags)
    report_lost_runs(instance)
    reported = instance.get_run_by_id(run.run_id)
    assert reported
    assert reported.status == dg.DagsterRunStatus.FAILURE
    assert reported.is_complete_and_waiting_to_retry


def test_a_run_of_the_command_line_is_none_of_them(instance: dg.DagsterInstance):
    elsewhere = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
    report_lost_runs(instance)
    now = instance.get_run_by_id(elsewhere.run_id)
    assert now
    assert now.status == dg.DagsterRunStatus.STARTED
