"""Temporary folders: gone after the block, and gone after a process that was killed inside of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from taxi_assets.spill import spill_folder

_WAITS_INSIDE = """
import sys
from taxi_assets.spill import spill_folder
with spill_folder() as folder:
    (folder / "rows").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def process_inside() -> tuple[subprocess.Popen[str], Path]:
    """A process that is in a folder of its own, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITS_INSIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def fail_inside() -> None:
    with spill_folder() as folder:
        (folder / "rows").touch()
        raise KeyError


def test_a_folder_is_removed_after_the_block_and_after_an_error(temporary: Path) -> None:
    with spill_folder() as folder:
        (folder / "rows").touch()
    assert list(temporary.iterdir()) == []
    with pytest.raises(KeyError):
        fail_inside()
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(temporary: Path) -> None:
    process, folder = process_inside()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (folder / "rows").exists()
    with spill_folder() as mine:
        assert list(temporary.iterdir()) == [mine]


def test_the_folder_of_a_process_that_is_alive_stays(temporary: Path) -> None:
    process, folder = process_inside()
    with spill_folder():
        assert (folder / "rows").exists()
    process.communicate("")
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []
