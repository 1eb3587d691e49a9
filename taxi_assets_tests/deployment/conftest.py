"""The processes that tests share: started once, ended at last."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_assets_tests.deployment.running import Running


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker run all tests that need the processes, so that no other starts them once more."""
    for item in items:
        if "running" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("deployment"))


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """All processes of ``make up``, healthy when the first test gets them, and none of them left at the end."""
    # pytest's own folders are closed to the account that PostgreSQL runs as where the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="taxi_up_"))
    home.chmod(0o755)
    started = Running.in_folder(home)
    try:
        started.up()
        yield started
        processes = [process for process in [*started.processes().values(), started.supervisor()] if process]
        down = started.command("down")
        assert down.returncode == 0, down.stdout + down.stderr
        assert not [process for process in processes if process.is_running()]
    finally:
        started.end_supervisor()
        for name, process in started.processes().items():
            if process:
                started.kill(name)
        shutil.rmtree(home)
