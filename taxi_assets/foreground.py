"""Work that a person waits for in a terminal: Ctrl-C ends it within seconds, with one line.

The work is done in a child process with a session of its own, so that Ctrl-C reaches only its parent. Processes that
libraries start there would otherwise end first, each with a stack trace.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C has ended."""

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_END: Final = 5.0
_POLL_SECONDS: Final = 0.05


def in_foreground(work: Callable[[], int], *, when_interrupted: str) -> int:
    """Do some work that a signal can end.

    Args:
        work: Returns its exit code. A signal raises KeyboardInterrupt in it, and some seconds later it is killed.
        when_interrupted: What is said then.

    Returns:
        The exit code of the work, or ``INTERRUPTED``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    told: list[int] = []
    # Before the child is there, so that it gets every signal.
    before = {number: signal.signal(number, lambda number, _: told.append(number)) for number in _ENDING}
    child = os.fork()
    if child == 0:
        _work(work)
    try:
        code = _wait(child, told)
    finally:
        # What the work has started, and left behind.
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)
    if told and code != 0:
        if sys.stdout.isatty():
            # What the work was showing may be there still, with the cursor hidden.
            print("\r\x1b[2K\x1b[?25h", end="")
        print(when_interrupted)
        return INTERRUPTED
    return code


def _work(work: Callable[[], int]) -> Any:
    """What the child does; it does not return."""
    os.setsid()
    for number in _ENDING:
        signal.signal(number, signal.default_int_handler)
    code = 1
    try:
        code = work()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:  # what nobody expected is shown as Python does
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, told: list[int]) -> int:
    """Wait until the child has ended, pass the first signal on to it, and kill it if it does not end in time."""
    deadline: float | None = None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if told and deadline is None:
            deadline = time.monotonic() + _SECONDS_TO_END
            os.kill(child, signal.SIGINT)
        # A second Ctrl-C does not wait.
        if deadline is not None and (time.monotonic() > deadline or len(told) > 1):
            os.killpg(child, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
