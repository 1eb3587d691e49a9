"""Variables of ``make``: what can't be chosen is said at once, in one sentence. Ctrl-C ends a demo with one line."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from taxi_assets.foreground import INTERRUPTED
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.test_commands import demo, table_rows

VENV = Path(sys.executable).parents[1]
INSTALLED = [VENV / ".installed", VENV / ".installed-up", VENV / ".installed-dev", ".venv-emulators/.installed"]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make_command(*arguments: str) -> list[str]:
    """Make with this environment, which it takes as installed."""
    return ["make", f"VENV={VENV}", *(f"--old-file={file}" for file in INSTALLED), *arguments]


def environment(home: Path, **more: str) -> Mapping[str, str]:
    # Without what a make that runs these tests tells the makes below it, which would say where they enter and leave.
    not_inherited = ("TAXI_", "DAGSTER_", "GCP_", "MAKE", "MFLAGS")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(not_inherited)}
    return {**inherited, "TAXI_HOME": str(home), "PYTHONPATH": str(PROJECT), **more}


@needs_make
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "SOURCE=foo"], "TAXI_SOURCE is “foo”, which is neither “release” nor “feed” nor"),
        (["demo", "SOURCE="], "TAXI_SOURCE is “”, which is neither “release” nor “feed” nor"),
        (["demo", "SOURCE=https://user:hunter2@"], "TAXI_SOURCE is not a valid web address"),
        (["demo", "MONTHS=2019-13"], "“2019-13” is not a month: write it as YYYY-MM"),
        (["demo", "MONTHS=2019-03...2019-01"], "write the earlier month first, 2019-01...2019-03."),
        (["demo", "MONTHS=2021-08"], "2021-08 is not among the months of Green taxi"),
        (["demo", "TAXIS=green blue"], "There is no taxi called “blue”: choose from fhv, fhvhv, green, yellow."),
        (["demo-gcp", "TAXIS=green,blue"], "There is no taxi called “blue”: choose from fhv, fhvhv, green, yellow."),
        (["dev", "PORT=abc"], "PORT is “abc”: set it to the number of a port, such as 3000."),
        (["dev", "SOURCE=foo"], "TAXI_SOURCE is “foo”, which is neither"),
        (["up", "PORT=99999"], "PORT is “99999”: set it to the number of a port, such as 3000."),
        (["up", "SOURCE=foo"], "TAXI_SOURCE is “foo”, which is neither"),
        (["up", "MONTHS=2019-01"], "MONTHS and TAXIS are for make demo: in the UI choose"),
        (["chaos", "CASES=many"], "CASES is “many”: set it to a whole number, 1 or more."),
        (["demo", "SORUCE=release"], "There is no variable SORUCE: choose from SOURCE, MONTHS"),
    ],
)
def test_what_can_t_be_chosen_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = subprocess.run(
        make_command(*arguments), cwd=PROJECT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    said = [
        line for line in (done.stdout + done.stderr).splitlines() if not re.match(r"make: \*\*\* \[.*Error 1$", line)
    ]
    assert len(said) == 1
    assert sentence in said[0]
    assert "hunter2" not in said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["taxi_assets.demo", "taxi_assets.choices", "local_services.__main__"])
def test_choices_are_checked_before_dagster_is_imported_which_takes_seconds(module: str) -> None:
    code = f"import sys, {module}; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def in_foreground(work: str) -> subprocess.Popen[str]:
    """A program whose work begins by printing a line."""
    code = f"""
import signal, sys, time
from taxi_assets.foreground import in_foreground
def work():
    {work}
sys.exit(in_foreground(work, when_interrupted="Interrupted: come again."))
"""
    started = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_work_that_a_signal_ends_says_one_line(number: signal.Signals) -> None:
    started = in_foreground("print('begun', flush=True); time.sleep(600)")
    started.send_signal(number)
    assert started.communicate(timeout=60) == ("Interrupted: come again.\n", "")
    assert started.returncode == INTERRUPTED


def test_work_that_does_not_end_is_killed_by_a_second_signal_and_so_is_what_it_has_started() -> None:
    child = "import subprocess, sys; sleeper = subprocess.Popen(['sleep', '600']); print('begun', flush=True)"
    ignoring = "signal.signal(signal.SIGINT, signal.SIG_IGN); print(sleeper.pid, flush=True); time.sleep(600)"
    started = in_foreground(f"{child}; {ignoring}")
    assert started.stdout is not None
    sleeper = psutil.Process(int(started.stdout.readline()))
    # Another signal, because two of the same may count as one.
    started.send_signal(signal.SIGINT)
    started.send_signal(signal.SIGTERM)
    assert started.communicate(timeout=60) == ("Interrupted: come again.\n", "")
    assert started.returncode == INTERRUPTED
    _, alive = psutil.wait_procs([sleeper], timeout=60)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("ending", "code"), [("return 0", 0), ("return 3", 3), ("1 / 0", 1)])
def test_work_that_nobody_interrupts_ends_as_it_does(ending: str, code: int) -> None:
    started = in_foreground(f"print('begun', flush=True); {ending}")
    out, error = started.communicate(timeout=60)
    assert (started.returncode, out) == (code, "")
    assert ("ZeroDivisionError" in error) == (ending == "1 / 0")


@needs_make
def test_ctrl_c_in_a_demo_is_one_line_and_the_same_command_loads_the_rest(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(PROJECT)
        os.execvpe("make", make_command("demo", "MONTHS=2019-01...2019-02"), dict(environment(tmp_path / "home")))
    said = b""
    landed = tmp_path / "home" / "landing"
    has_pressed = False
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # the last one who had the terminal has ended
            break
        # The status turns many times a second, so that this is asked as often.
        if not has_pressed and list(landed.glob("*/*.csv.gz")):
            os.write(terminal, b"\x03")
            has_pressed = True
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert has_pressed
    assert os.WIFSIGNALED(status), "for a shell that is the exit code 130"
    assert os.WTERMSIG(status) == signal.SIGINT
    *_, last = said.decode().strip().splitlines()
    assert last.endswith(
        "Interrupted: each month is loaded as a whole or not at all, and the same command loads the rest."
    )
    assert b"Traceback" not in said
    again = demo(tmp_path, "--months", "2019-01...2019-02")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(table_rows(again.stdout)) == 4
    # Off a terminal nobody sees a status that is rewritten.
    assert len(re.findall(r"^2019-0[12] done: \d of 2 months", again.stdout, re.MULTILINE)) == 4
