"""``make shell`` and ``make env``: the command line has the settings of what runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local_services.running import settings_in
from taxi_assets.shell import is_setting, lines_for_eval
from taxi_assets_tests.deployment.running import Running
from taxi_assets_tests.paths import PROJECT

_RUNS = """
query { runsOrError(filter: {tags: [{key: "from", value: "the shell"}]}) { ... on Runs { results { status } } } }
"""


def evaluated(lines: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a shell that has evaluated these lines."""
    printing = f"{shlex.quote(sys.executable)} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = f'eval "$1"; {printing}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", lines], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_lines_for_eval_give_every_value_as_it_is_and_take_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"TAXI_SOURCE": 'it\'s $HOME `here`\nand "there"', "TAXI_POSTGRES_PASSWORD": "a&b;c|d é"}
    monkeypatch.setenv("TAXI_MONTHS_AT_ONCE", "2")
    found = evaluated("\n".join(lines_for_eval(odd)), os.environ)
    assert {name: value for name, value in found.items() if is_setting(name)} == odd
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_where_nothing_runs_the_settings_are_those_of_make_dev(tmp_path: Path) -> None:
    running = Running.in_folder(tmp_path)
    done = running.command("env")
    found = evaluated(done.stdout, os.environ)
    assert found["DAGSTER_HOME"] == str(tmp_path / "dagster")
    assert found["TAXI_SOURCE"] == "sample"
    assert "make dev" in done.stderr


def test_what_goes_wrong_is_no_line_for_eval(tmp_path: Path) -> None:
    done = Running.in_folder(tmp_path, TAXI_UI_PORT="http").command("env")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "TAXI_UI_PORT is “http”" in done.stderr


def test_eval_gives_the_settings_of_the_services_that_run(running: Running) -> None:
    done = running.command("env")
    settings = settings_in(running.machine.services["code"])
    assert settings is not None
    assert settings["TAXI_POSTGRES_PASSWORD"] == "taxi"
    found = evaluated(done.stdout, {"PATH": os.environ["PATH"]})
    assert {name: value for name, value in found.items() if is_setting(name)} == settings
    assert "taxi" not in done.stderr.replace("taxi_assets", "")


def test_a_command_in_the_shell_is_a_run_in_the_ui(running: Running) -> None:
    running.up()
    command = """dagster job execute -m taxi_assets.definitions -j hello --tags '{"from": "the shell"}'\n"""
    ours = ("TAXI_", "DAGSTER_", "GCP_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "local_services", "shell"],
        cwd=PROJECT,
        # The user's settings are another source than that of the services.
        env={
            **inherited,
            **running.settings,
            "TAXI_HOME": str(running.home),
            "TAXI_SOURCE": "feed",
            "SHELL": "/bin/sh",
        },
        input=command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert running.ask(_RUNS)["runsOrError"]["results"] == [{"status": "SUCCESS"}]
