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
from filelock import FileLock

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


def start_with_child(background: Background) -> tuple[psutil.Process, psutil.Process]:
    """A process that has started another one, and that other one."""
    code = f"import subprocess, sys; subprocess.run({SLEEPER!r})"
    parent = background.start([sys.executable, "-c", code], folder=background.folder, environment=os.environ)
    while not parent.children():
        time.sleep(0.01)
    (child,) = parent.children()
    return parent, child


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


def change_pid_file(background: Background, **changes: object) -> None:
    noted = json.loads(background.pid_file.read_text())
    assert noted.keys() >= changes.keys()
    background.pid_file.write_text(json.dumps({**noted, **changes}))


def test_a_pid_that_belongs_to_another_process_now_is_never_ours_to_end(background: Background):
    started = start(background)
    started.kill()
    psutil.wait_procs([started], timeout=10)
    with subprocess.Popen(SLEEPER) as other:
        change_pid_file(background, pid=other.pid, started=json.loads(background.pid_file.read_text())["started"] - 60)
        assert background.process() is None
        background.stop(signal.SIGTERM, seconds=10, with_children=True)
        assert other.poll() is None
        assert not background.pid_file.exists()
        other.kill()


@pytest.mark.skipif(not psutil.LINUX, reason="other systems note the time of day of a process's start")
def test_a_process_is_found_again_after_the_clock_was_set(background: Background, monkeypatch: pytest.MonkeyPatch):
    started = start(background)
    # Linux derives the moment of its start from the clock.
    moved = psutil.boot_time() + 3600
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: moved)
    assert psutil.boot_time() == moved
    assert background.process() == started


@pytest.mark.skipif(not psutil.LINUX, reason="other systems do not name their starts")
def test_pids_of_before_a_restart_of_the_machine_say_nothing(background: Background):
    leader, member = start_with_child(background)
    noted = background.pid_file.read_text()
    change_pid_file(background, boot="another")
    assert background.process() is None
    leader.kill()
    psutil.wait_procs([leader], timeout=10)
    background.stop(signal.SIGTERM, seconds=10, with_children=True)
    assert member.is_running(), "its session may be anybody's"
    background.pid_file.write_text(noted)


@pytest.mark.parametrize("text", ["", "{", "17", '{"pid": "x"}', "{}"])
def test_a_pid_file_that_says_nothing_is_stale(background: Background, text: str):
    background.pid_file.write_text(text)
    assert background.process() is None


def test_what_a_dead_process_has_left_behind_is_ended_by_the_next_start(background: Background):
    dead, left = start_with_child(background)
    dead.kill()
    psutil.wait_procs([dead], timeout=10)
    assert left.is_running()
    start(background)
    psutil.wait_procs([left], timeout=10)
    assert not left.is_running()


def test_the_output_of_a_dead_process_is_kept_when_it_is_started_again(background: Background):
    last_words = background.start(
        [sys.executable, "-c", "print('last words')"], folder=background.folder, environment=os.environ
    )
    psutil.wait_procs([last_words], timeout=10)
    start(background)
    assert "last words" in background.earlier_log.read_text()


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
    status = running.command("status")
    assert status.returncode == 0
    assert "Nothing is running: make up starts everything" in status.stdout


@pytest.mark.parametrize("command", ["up", "down"])
def test_one_command_at_a_time_starts_or_ends_services(tmp_path: Path, command: str):
    running = Running.in_folder(tmp_path / "home")
    folder = running.machine.folder
    folder.mkdir(parents=True)
    with FileLock(folder / "command.lock"):
        result = running.command(command)
    assert result.returncode == 1
    assert "Another make up or make down is at work" in " ".join(result.stdout.split())
    assert not any(running.processes().values())


def test_ctrl_c_ends_make_up_with_one_line(tmp_path: Path):
    running = Running.in_folder(tmp_path / "home")
    running.home.mkdir()
    (running.home / "up").mkdir()
    database = running.machine.services["metadata"]
    # A server that is never healthy: the command waits for it.
    database.process.start(SLEEPER, folder=tmp_path, environment=database.environment)
    command = running.begin("up")
    assert command.stdout is not None
    assert "runs already" in command.stdout.readline()
    command.send_signal(signal.SIGINT)
    said, _ = command.communicate(timeout=60)
    database.stop()
    assert command.returncode == 130
    assert "Interrupted: what has been started keeps running, and make down ends it." in said
    assert "Traceback" not in said


def test_status_is_a_failure_if_only_some_services_run(tmp_path: Path):
    running = Running.in_folder(tmp_path)
    process = running.machine.services["webserver"].process
    process.folder.mkdir(parents=True)
    started = process.start(SLEEPER, folder=tmp_path, environment=os.environ)
    status = running.command("status")
    process.stop(signal.SIGKILL, seconds=10, with_children=True)
    assert status.returncode == 1
    assert f"runs as {started.pid}" in status.stdout
    assert "To start what is down, run make up" in status.stdout


def test_everything_is_up_and_says_where(running: Running):
    status = running.command("status")
    assert status.returncode == 0, status.stdout
    assert running.ui in status.stdout
    assert "Supervisor" in status.stdout
    assert all(running.processes().values())


def test_up_again_says_what_runs_already_and_starts_nothing(running: Running):
    before = running.processes()
    said = running.up()
    for name in ("PostgreSQL for dagster", "PostgreSQL for taxi", "Code server", "Dagster's UI", "Daemon"):
        assert f"{name} runs already" in said
    assert "Starting" not in said
    assert running.processes() == before


def test_up_with_other_settings_names_them_and_changes_nothing(running: Running):
    running.up()
    before = running.processes()
    changed = {"TAXI_SOURCE": "release", "TAXI_MONTHS_AT_ONCE": "2", "TAXI_POSTGRES_PASSWORD": "hunter2"}
    result = Running(running.home, {**running.settings, **changed}).command("up")
    assert result.returncode == 1
    said = " ".join(result.stdout.split())
    assert "TAXI_SOURCE is “sample” and would be “release”" in said
    assert "TAXI_MONTHS_AT_ONCE is not set and would be “2”" in said
    assert "TAXI_POSTGRES_PASSWORD has another value" in said
    assert "run “make down”, then “make up SOURCE=release”" in said
    assert "A month of the sample stays in the warehouses until it is loaded from the new source" in said
    assert "hunter2" not in result.stdout + result.stderr
    assert running.processes() == before


def test_the_default_is_no_other_setting(running: Running):
    """As in a terminal where the variable is set to what applies without it."""
    running.up()
    assert Running(running.home, {**running.settings, "TAXI_POSTGRES_PASSWORD": "taxi"}).command("up").returncode == 0


def test_up_and_status_say_source_warehouses_password_and_the_next_click(running: Running):
    for said in (running.up(), running.command("status").stdout):
        assert "sample (months that this machine makes up, not published ones)" in said
        assert str(running.home / "warehouse.duckdb") in said
        assert f"127.0.0.1:{running.settings['TAXI_POSTGRES_PORT']}, database taxi, user taxi; password taxi" in said
        assert f"open {running.ui}/jobs, choose load_all, Materialize all…" in said
        assert "make shell" in said


def test_all_listen_on_this_machine_only(running: Running):
    for process in running.processes().values():
        assert process is not None
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # one that has just ended listens nowhere
                listening = [c.laddr.ip for c in each.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
                assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}


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
