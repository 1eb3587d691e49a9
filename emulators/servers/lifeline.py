"""Lets a launcher tell its parent where it listens, and end together with the parent.

The parent holds the other end of standard input. When the parent closes it or ends, however suddenly, reading ends
here; then the server ends, and its data is deleted.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

# Standard output is only for the report; the emulators' own output goes to standard error.
_parent: Final = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def end_with_parent(data: Path) -> None:
    """End this process and delete its data as soon as the parent closes the input."""
    threading.Thread(target=_wait, args=(data,), daemon=True, name="lifeline").start()


def report(**facts: object) -> None:
    """Tell the parent that the server listens, and where, as one line of JSON."""
    print(json.dumps(facts), file=_parent, flush=True)


def _wait(data: Path) -> None:
    # Not sys.stdin: its lock, held by a daemon thread, would block an ordinary exit.
    while os.read(0, 1024):
        pass
    shutil.rmtree(data, ignore_errors=True)
    with suppress(OSError):  # another server's data may still be beside it
        data.parent.rmdir()
    sys.stderr.flush()
    os._exit(0)
