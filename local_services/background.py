"""A process in the background: it outlives the command that starts it, and is known by its pid file."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

# A process that got the pid of an earlier one did not start within this many seconds of it.
_SAME_START_SECONDS: Final = 2.0
_SHOWN_LINES: Final = 5


@dataclass(frozen=True)
class Background:
    """A process that may or may not be running.

    Attributes:
        name: What people call it.
        folder: Where its pid file and its log are.
    """

    name: str
    folder: Path

    @property
    def pid_file(self) -> Path:
        """Says which process it is, and since when, as JSON."""
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """The running process, or None; a pid file whose process has gone, or whose pid is another's now, is stale."""
        try:
            noted = json.loads(self.pid_file.read_text(encoding="utf-8"))
            process = psutil.Process(noted["pid"])
            is_same = abs(process.create_time() - noted["started"]) < _SAME_START_SECONDS
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, psutil.NoSuchProcess):
            return None

    def start(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        account: Mapping[str, Any] | None = None,
    ) -> psutil.Process:
        """Start it in a session of its own, where no Ctrl-C of the terminal reaches it.

        Args:
            command: The program and its arguments.
            folder: Its working directory.
            environment: Its environment variables, all of them.
            account: ``Popen``'s words for the account to run it as; the caller's unless given.
        """
        with self.log.open("wb") as log:
            started = subprocess.Popen(  # noqa: S603 - our own programs
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **(account or {}),
            )
        process = psutil.Process(started.pid)
        self.pid_file.write_text(json.dumps({"pid": process.pid, "started": process.create_time()}), encoding="utf-8")
        return process

    def stop(self, how: signal.Signals, *, seconds: float, with_children: bool) -> None:
        """End it, first politely and in the end for certain, and remove the pid file.

        Args:
            how: The polite signal.
            seconds: How long it may take.
            with_children: Whether the processes that it has started are ended with it.
        """
        process = self.process()
        if process is not None:
            ended = [process, *(process.children(recursive=True) if with_children else [])]
            _signal(ended if with_children else [process], how)
            _, alive = psutil.wait_procs(ended, timeout=seconds)
            _signal(alive, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=seconds)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last lines of its log, in one."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-_SHOWN_LINES:])


def _signal(processes: Sequence[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
