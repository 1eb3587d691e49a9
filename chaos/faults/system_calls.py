"""Faults of single system calls, by ``strace``: a process is killed at one, or a call on certain files fails."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WRITING = "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,fallocate"
_READING = "read,pread64"
_ATTACH_SECONDS = 20.0


@dataclass(frozen=True)
class CallFault:
    """What happens at a system call.

    Attributes:
        calls: The calls, by their names; ``write``, ``sync``, ``read``, ``rename`` or ``unlink`` stand for several.
        effect: An error's name (``EIO``), or ``KILL``.
        first: At the how-manieth of these calls, counted for each thread by itself.
        goes_on: Whether all later ones fail too.
    """

    calls: str
    effect: str
    first: int
    goes_on: bool = False

    @property
    def expression(self) -> str:
        """What ``strace`` calls it."""
        effect = "signal=KILL" if self.effect == "KILL" else f"error={self.effect}"
        return f"inject={_NAMES[self.calls]}:{effect}:when={self.first}{'+' if self.goes_on else ''}"


_NAMES = {
    "write": "write,pwrite64",
    "sync": "fsync,fdatasync",
    "read": "read,pread64",
    "rename": "rename,renameat,renameat2",
    "unlink": "unlink,unlinkat",
    "truncate": "ftruncate",
    "any": _WRITING,
}


@cache
def why_not() -> str:
    """Why calls can't be tampered with on this machine, or empty."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", "inject=sync:error=EIO", "true"],  # noqa: S607 - the user's own program
        check=False,
        capture_output=True,
        text=True,
    )
    return "" if tried.returncode == 0 else f"strace may not trace: {tried.stderr.strip()[:100]}"


@contextmanager
def tampered(pid: int, fault: CallFault, paths: Sequence[Path]) -> Iterator[None]:
    """Have calls of a process on these files fail, for the length of the block or as long as it lives."""
    files = [word for path in paths for word in ("-P", str(path))]
    command = ["strace", "-f", "-q", "-p", str(pid), "-o", "/dev/null", *files]
    process = subprocess.Popen(  # noqa: S603
        [*command, "-e", f"trace={_WRITING},{_READING}", "-e", fault.expression],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_until_traced(pid, process)
        yield
    finally:
        process.terminate()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _wait_until_traced(pid: int, process: subprocess.Popen[str]) -> None:
    """Wait for the kernel's word that somebody traces the process."""
    status = Path(f"/proc/{pid}/status")
    deadline = time.monotonic() + _ATTACH_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        lines = status.read_text(encoding="utf-8").splitlines()
        if any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines):
            return
        time.sleep(0.005)
    raise RuntimeError(f"strace could not attach to {pid}")
