"""A process in the background, which outlives the command that starts it and is found again by its pid file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from taxi_assets.files import write_whole

# A process that has the pid of an earlier one did not start within this many seconds of it.
_SAME_START_SECONDS: Final = 2.0
# Linux makes a new one whenever it starts.
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SHOWN_LINES: Final = 5
_END_BYTES: Final = 4_000
_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True)
class _Noted:
    """What a pid file says.

    Attributes:
        pid: A process id.
        started: When its process was started, as ``_started`` gives it.
        boot: The start of the machine that it belongs to, as ``_boot`` gives it.
    """

    pid: int
    started: float
    boot: str

    @classmethod
    def of(cls, process: psutil.Process) -> _Noted:
        """What is to be noted of a process."""
        return cls(process.pid, _started(process), _boot())

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has not been started again since."""
        return self.boot == _boot() if self.boot else self.started >= psutil.boot_time()

    def is_of(self, process: psutil.Process) -> bool:
        """Whether the process is the one that was noted, and not a later one with its pid."""
        return self.is_of_this_boot and abs(_started(process) - self.started) < _SAME_START_SECONDS


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
        """The file that says which process it is, as JSON."""
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder / f"{self.name}.log"

    @property
    def earlier_log(self) -> Path:
        """The file with the output of the process before it."""
        return self.folder / f"{self.name}.log.1"

    def process(self) -> psutil.Process | None:
        """The running process; None if it has ended, also where its pid belongs to another process by now."""
        noted = self._noted()
        try:
            process = psutil.Process(noted.pid) if noted else None
            return process if process and noted and noted.is_of(process) and _lives(process) else None
        except psutil.NoSuchProcess:
            return None

    def environment(self) -> Mapping[str, str] | None:
        """The environment variables that the running process was started with; None if it has ended."""
        process = self.process()
        try:
            return process.environ() if process else None
        except psutil.NoSuchProcess:
            return None

    @property
    def has_died(self) -> bool:
        """Whether it was started, and has ended although nobody has stopped it."""
        return self.pid_file.exists() and self.process() is None

    def start(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        account: Mapping[str, Any] | None = None,
    ) -> psutil.Process:
        """Start it in a session of its own, which Ctrl-C in the terminal does not reach.

        What an earlier process has left behind is killed.

        Args:
            command: The program and its arguments.
            folder: Its working directory.
            environment: All its environment variables.
            account: ``Popen``'s arguments for the account to run it as; the caller's account unless given.
        """
        self._kill_left_behind()
        if self.log.exists():
            self.log.replace(self.earlier_log)
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
        write_whole(self.pid_file, json.dumps(asdict(_Noted.of(process))))
        return process

    def stop(self, how: signal.Signals, *, seconds: float, with_children: bool) -> None:
        """End it with a signal, kill it if that takes too long, and remove the pid file.

        Args:
            how: The first signal.
            seconds: Seconds that it has to end.
            with_children: Whether the processes that it has started get the signal too.
        """
        process = self.process()
        if process is not None:
            ended = [process, *(_children(process) if with_children else [])]
            _signal(ended, how)
            _, alive = psutil.wait_procs(ended, timeout=seconds)
            _signal(alive, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=seconds)
        self._kill_left_behind()
        self.pid_file.unlink(missing_ok=True)

    def _noted(self) -> _Noted | None:
        """What the pid file says; None if there is none, or it says nothing."""
        try:
            return _Noted(**json.loads(self.pid_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def _kill_left_behind(self) -> None:
        """Kill the processes that it has started, if it has ended without them."""
        noted = self._noted()
        # After another start of the machine, its pid may be the number of any session.
        if noted is None or not noted.is_of_this_boot:
            return
        # Its pid is the number of its session, and is not given to another process as long as the session has members.
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(noted.pid)
            if _lives(process) or not noted.is_of(process):
                return
        left = [process for process in psutil.process_iter() if _session(process) == noted.pid and _lives(process)]
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=_KILL_SECONDS)

    def end_of_log(self) -> str:
        """The last lines of its log, as one line."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(self.log.stat().st_size - _END_BYTES, 0))
            text = log.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-_SHOWN_LINES:])


def _boot() -> str:
    """What stays the same until the machine is started again; empty where the system does not say it."""
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


def _started(process: psutil.Process) -> float:
    """When a process was started, in seconds, on a clock that does not change if the system's time is set.

    On Linux since the start of the machine, which is what the system notes; elsewhere since 1970.
    """
    since_1970 = float(process.create_time())
    return since_1970 - psutil.boot_time() if psutil.LINUX else since_1970


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def _signal(processes: Sequence[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
