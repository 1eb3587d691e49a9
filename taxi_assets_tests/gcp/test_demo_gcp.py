"""`make demo-gcp` shows the whole way without an account, and can't be taken for the real one. (Emulator tests.)"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from taxi_assets_tests.paths import PROJECT, WITHOUT_DBT


def run_demo(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GCP_", "TAXI_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "emulators.demo", *arguments],
        check=False,
        env={**clean, **WITHOUT_DBT, **variables},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )


def test_it_sets_up_loads_both_taxis_and_says_that_only_emulators_were_there(emulators):
    done = run_demo("--months", "2019-01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "EMULATORS ONLY" in done.stdout
    assert "not Google Cloud" in done.stdout
    assert "gcp_setup: emulated-taxi-bucket made in US" in done.stdout
    for taxi in ("green", "yellow"):
        (line,) = [line for line in done.stdout.splitlines() if f"│ {taxi}" in line]
        _, _, month, in_file, in_main, inserted, *_ = (cell.strip() for cell in line.split("│"))
        assert month == "2019-01"
        assert in_file == in_main == inserted != "0"


@pytest.mark.parametrize(("name", "value"), [("GCP_PROJECT_ID", "my-project"), ("GCP_CREDS", "/my-key.json")])
def test_it_refuses_where_the_settings_lead_elsewhere(name, value):
    done = run_demo(**{name: value})
    assert done.returncode == 1
    assert f"settings for something else ({name})" in done.stderr
    assert value not in done.stderr
