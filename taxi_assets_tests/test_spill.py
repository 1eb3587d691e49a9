"""Temporary folders: gone after the block, and gone after a process that was killed inside of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typing_extensions import override

from taxi_assets import spill
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


class LockTakenLate(FileLock):
    """A lock whose file is there for a moment before it is taken, while another process looks for folders to remove."""

    @override
    def acquire(self, *arguments: Any, **settings: Any) -> Any:
        Path(self.lock_file).touch()
        process, _ = process_inside()
        process.communicate("")
        return super().acquire(*arguments, **settings)


def test_a_folder_that_is_just_being_made_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "FileLock", LockTakenLate)
    with spill_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700, "it is the one that was made, which only its user may enter"
    assert list(temporary.iterdir()) == []


@pytest.fixture
def folder_of_another_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that this user may not enter, where all users' temporary files go."""
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        monkeypatch.setattr(tempfile, "tempdir", parent)
        Path(parent).chmod(0o1777)
        with spill_folder() as folder:
            folder.chmod(0)
            user = os.geteuid()
            os.seteuid(user or 65534)
            try:
                yield folder
            finally:
                os.seteuid(user)
                folder.chmod(0o700)


def test_the_folder_of_another_user_is_left_alone(folder_of_another_user: Path) -> None:
    with spill_folder() as mine:
        assert mine.parent == folder_of_another_user.parent
    assert folder_of_another_user.exists()
