"""A service that dies is started again, as Docker does it; one that is stopped is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from local_services.compose import Service
from local_services.services import LocalService
from local_services.supervisor import Supervisor
from taxi_assets_tests.deployment.running import Running, until
from taxi_assets_tests.paths import PROJECT

SLEEPS = "import time; time.sleep(600)"
DIES = "raise SystemExit('no disk')"


@dataclass(frozen=True)
class Program(LocalService):
    """A service that is a line of Python."""

    line: str = SLEEPS
    started: list[psutil.Process] = field(default_factory=list)

    @property
    def title(self) -> str:
        return "Program"

    def start(self) -> None:
        command = [sys.executable, "-c", self.line]
        self.started.append(self.process.start(command, folder=self.folder, environment=self.environment))

    def is_healthy(self) -> bool:
        return True

    def stop(self) -> None:
        self.process.stop(signal.SIGTERM, seconds=10, with_children=True)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    service = Service("program", (), {}, {}, frozenset(), None, None)
    made = Program(service, os.environ, tmp_path)
    yield made
    made.process.stop(signal.SIGKILL, seconds=10, with_children=True)


def die(program: Program) -> None:
    process = program.started[-1]
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_a_service_that_has_died_is_started_again(program: Program):
    said: list[str] = []
    supervisor = Supervisor({"program": program}, said.append)
    program.start()
    supervisor.look(0.0)
    assert len(program.started) == 1
    die(program)
    supervisor.look(1.0)
    assert program.process.process() == program.started[1]
    assert "Program has died and was started again" in said[0]


def test_a_service_that_is_stopped_or_was_never_started_stays_away(program: Program):
    supervisor = Supervisor({"program": program}, print)
    supervisor.look(0.0)
    assert not program.started
    program.start()
    program.stop()
    supervisor.look(1.0)
    assert len(program.started) == 1


def test_the_pauses_grow_to_a_minute_for_a_service_that_keeps_dying(program: Program):
    dying = replace(program, line=DIES)
    supervisor = Supervisor({"program": dying}, lambda _line: None)
    dying.start()
    now, starts = 0.0, []
    while now < 400:
        psutil.wait_procs(dying.started, timeout=10)
        before = len(dying.started)
        supervisor.look(now)
        if len(dying.started) > before:
            starts.append(now)
        now += 0.5
    pauses = [after - before for before, after in pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.5
    assert pauses[-1] == 60


def test_a_service_that_ran_for_a_while_is_started_at_once(program: Program):
    supervisor = Supervisor({"program": program}, print)
    program.start()
    for now in (0.0, 100.0, 200.0):
        die(program)
        supervisor.look(now)
    assert len(program.started) == 4


def test_make_up_has_a_killed_service_started_again(running: Running):
    running.up()
    before = running.processes()["webserver"]
    assert before
    before.kill()

    def started_again() -> bool:
        now = running.processes()["webserver"]
        return bool(now and now != before)

    until("the webserver is started again", started_again)
    until("the webserver answers", running.machine.services["webserver"].is_healthy)
    assert running.command("status").returncode == 0


def test_the_commands_and_the_supervisor_do_not_import_dagster():
    code = "import sys, local_services.__main__; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
