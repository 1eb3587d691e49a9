"""A process in the background, which outlives the command that starts it and is found again by its pid file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

# A process that has the pid of an earlier one did not start within this many seconds of it.
_SAME_START_SECONDS: Final = 2.0
_SHOWN_LINES: Final = 5


@dataclass(frozen=True)
class Background:
    """A process that may or may not be running.

    Attributes:
        name: Its name, for the files.
        folder: The folder of its pid file and its log.
    """

    name: str
    folder: Path

    @property
    def pid_file(self) -> Path:
        """The file with its pid and the time of its start, as JSON."""
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """The running process; None if it has ended, also where its pid belongs to another process by now."""
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
        """Start it in a session of its own, which Ctrl-C in the terminal does not reach.

        Args:
            command: The program and its arguments.
            folder: Its working directory.
            environment: All its environment variables.
            account: ``Popen``'s arguments for the account to run it as; the caller's account unless given.
        """
        # What services log may be for their owner only.
        with open(self.log, "wb", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as log:
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
        """End it with a signal, kill it if that takes too long, and remove the pid file.

        Args:
            how: The first signal.
            seconds: Seconds that it has to end.
            with_children: Whether the processes that it has started are ended too.
        """
        process = self.process()
        if process is not None:
            ended = [process, *(process.children(recursive=True) if with_children else [])]
            _signal(ended if with_children else [process], how)
            _, alive = psutil.wait_procs(ended, timeout=seconds)
            _signal(alive, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=seconds)
        self.pid_file.unlink(missing_ok=True)

    def end_of_log(self) -> str:
        """The last lines of its log, as one line."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-_SHOWN_LINES:])


def _signal(processes: Sequence[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
