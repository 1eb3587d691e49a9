"""``make dev``: Dagster's UI, its daemon and the code, until Ctrl-C or SIGTERM ends all of them within seconds.

``dagster dev`` ends its processes one after the other, and waits for each; a run in progress can keep it for minutes.
Here all of them are told to end at once, and those that don't are killed. A run that was lost that way is reported as
failed at the next start, so that Dagster starts it again (``run_retries`` in dagster.yaml).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import dagster as dg
from filelock import FileLock, Timeout
from rich.console import Console

from taxi_assets import settings
from taxi_assets.dagster_home import dagster_home
from taxi_assets.dagster_internals import CODE_SERVER_TAG
from taxi_assets.errors import TaxiAssetsError

_SECONDS_TO_END: Final = 5.0
_POLL_SECONDS: Final = 0.1
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORKSPACE: Final = settings.PROJECT_FOLDER / "workspace.yaml"

_console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dagster dev`` until a signal comes, and return the exit code: 0 if it was ended by one."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.dev", description=__doc__)
    parser.add_argument("--port", default="3000", help="port of the UI on 127.0.0.1")
    port: str = parser.parse_args(arguments).port
    try:
        home = dagster_home()
    except TaxiAssetsError as error:
        _console.print(str(error), style="red", markup=False)
        return 1
    lock = FileLock(home / "dev.lock")
    try:
        lock.acquire(blocking=False)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            report_lost_runs(instance)
    except Timeout:
        pass  # another `make dev` has this folder; its runs are not lost
    return _run(port, home)


def report_lost_runs(instance: dg.DagsterInstance) -> None:
    """Report the runs of code servers as failed that count as running, although there is no code server any more."""
    lost = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for run in instance.get_runs(dg.RunsFilter(statuses=lost)):
        # Runs of the command line don't have it, and may still be running.
        if CODE_SERVER_TAG in run.tags:
            instance.report_run_failed(run, "`make dev` ended while this run was in progress.")


def _run(port: str, home: Path) -> int:
    program = str(Path(sys.executable).parent / "dagster")
    command = [program, "dev", "--workspace", str(_WORKSPACE), "--host", "127.0.0.1", "--port", port]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        # A backfill waits while the code can't be loaded, instead of failing because its assets are not found.
        "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "1",
    }
    for number in _ENDING:
        signal.signal(number, _end)
    # In a process group of their own, so that Ctrl-C reaches them only from here.
    started = subprocess.Popen(command, cwd=home, env=environment, start_new_session=True)  # noqa: S603 - Dagster's own
    try:
        return started.wait()
    except KeyboardInterrupt:
        _console.print("Ending Dagster")
        _signal_all(started, signal.SIGINT)
        # A second signal kills them at once.
        with suppress(KeyboardInterrupt):
            _wait_for_all(started)
        return 0
    finally:
        _signal_all(started, signal.SIGKILL)
        started.wait()


def _end(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _wait_for_all(started: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < deadline:
        started.poll()
        try:
            os.killpg(started.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL_SECONDS)


def _signal_all(started: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, number)


if __name__ == "__main__":
    sys.exit(main())
