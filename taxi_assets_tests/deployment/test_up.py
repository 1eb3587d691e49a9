"""``make up``, ``make down`` and ``make status``."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from local_services.background import Background
from taxi_assets_tests.deployment.running import Running

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def background(tmp_path: Path):
    """A process that does nothing, ended at last."""
    sleeper = Background("sleeper", tmp_path)
    yield sleeper
    sleeper.stop(signal.SIGKILL, seconds=10, with_children=True)


def start(background: Background) -> psutil.Process:
    return background.start(SLEEPER, folder=background.folder, environment=os.environ)


def test_a_started_process_is_found_again_by_its_pid_file(background: Background):
    started = start(background)
    assert Background("sleeper", background.folder).process() == started


def test_a_pid_file_whose_process_has_gone_is_stale(background: Background):
    started = start(background)
    started.kill()
    psutil.wait_procs([started], timeout=10)
    assert background.pid_file.exists()
    assert background.process() is None
    assert start(background) == background.process()


def test_a_pid_that_belongs_to_another_process_now_is_never_ours_to_end(background: Background):
    with subprocess.Popen(SLEEPER) as other:
        noted = {"pid": other.pid, "started": psutil.Process(other.pid).create_time() - 3600}
        background.pid_file.write_text(json.dumps(noted))
        assert background.process() is None
        background.stop(signal.SIGTERM, seconds=10, with_children=True)
        assert other.poll() is None
        assert not background.pid_file.exists()
        other.kill()


@pytest.mark.parametrize("text", ["", "{", "17", '{"pid": "x"}', "{}"])
def test_a_pid_file_that_says_nothing_is_stale(background: Background, text: str):
    background.pid_file.write_text(text)
    assert background.process() is None


def test_a_process_that_ignores_the_polite_signal_is_killed(background: Background):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    process = background.start([sys.executable, "-c", stubborn], folder=background.folder, environment=os.environ)
    while not background.log.read_text():
        time.sleep(0.01)
    background.stop(signal.SIGTERM, seconds=0.2, with_children=True)
    assert not process.is_running()


@pytest.mark.parametrize("variable", ["DAGSTER_POSTGRES_PORT", "TAXI_POSTGRES_PORT", "TAXI_CODE_PORT", "TAXI_UI_PORT"])
def test_a_port_that_is_taken_is_named_with_its_variable_before_anything_starts(tmp_path: Path, variable: str):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        running = Running.in_folder(tmp_path / "home", **{variable: str(port)})
        result = running.command("up")
    assert result.returncode == 1
    assert f"Port {port}, where" in result.stdout
    assert f"set {variable} to another port" in " ".join(result.stdout.split())
    assert not any(running.processes().values())


def test_a_port_that_is_none_is_named_with_its_variable(tmp_path: Path):
    result = Running.in_folder(tmp_path, TAXI_UI_PORT="http").command("up")
    assert result.returncode == 1
    assert "TAXI_UI_PORT is “http”: set it to the number of a port" in result.stdout


def test_one_port_for_two_services_is_refused(tmp_path: Path):
    result = Running.in_folder(tmp_path, TAXI_UI_PORT="15999", TAXI_CODE_PORT="15999").command("up")
    assert result.returncode == 1
    assert "are both 15999" in result.stdout


def test_nothing_to_end_is_no_failure(tmp_path: Path):
    running = Running.in_folder(tmp_path)
    assert "Nothing was running" in running.command("down").stdout
    assert running.command("status").returncode == 1


@pytest.mark.xdist_group("deployment")
def test_everything_is_up_and_says_where(running: Running):
    status = running.command("status")
    assert status.returncode == 0, status.stdout
    assert running.ui in status.stdout
    assert all(running.processes().values())


@pytest.mark.xdist_group("deployment")
def test_up_again_says_what_runs_already_and_starts_nothing(running: Running):
    before = running.processes()
    said = running.up()
    for name in ("PostgreSQL for dagster", "PostgreSQL for taxi", "Code server", "Dagster's UI", "Daemon"):
        assert f"{name} runs already" in said
    assert "Starting" not in said
    assert running.processes() == before


@pytest.mark.xdist_group("deployment")
def test_all_listen_on_this_machine_only(running: Running):
    for process in running.processes().values():
        assert process is not None
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # one that has just ended listens nowhere
                listening = [c.laddr.ip for c in each.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
                assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}


@pytest.mark.xdist_group("deployment")
def test_passwords_are_not_on_any_command_line_or_in_any_log(running: Running):
    for process in running.processes().values():
        assert process is not None
        assert ":taxi@" not in " ".join(process.cmdline())
        assert "PASSWORD" not in " ".join(process.cmdline())
    for log in (running.home / "up").glob("*.log"):
        assert ":taxi@" not in log.read_text()
        assert ":dagster@" not in log.read_text()


def test_the_role_of_the_data_database_is_an_ordinary_one_that_owns_it(running: Running):
    running.up()
    with psycopg.connect(running.data_url, autocommit=True) as connection:
        rights = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(rights).fetchall() == [(False, False)]
        owner = "SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = current_database()"
        assert connection.execute(owner).fetchall() == [(True,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'")
    as_superuser = psycopg.conninfo.make_conninfo(running.data_url, user="postgres")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(as_superuser)


def test_what_services_keep_and_log_is_for_their_owner_only(running: Running):
    running.up()
    folder = running.home / "up"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o066 == 0
    logs = list(folder.glob("*.log"))
    assert logs
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs} == {0o600}
