"""Shows what is being done: on a terminal in one line that is rewritten, elsewhere in a line every few seconds."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Final

SECONDS_BETWEEN_LINES: Final = 3.0


class Progress:
    """One place on the screen, or one line after the other.

    Args:
        say: Gets each line. Without it, lines go to the standard output, and are rewritten if that is a terminal.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say
        self._rewrites = say is None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._shown_at = time.monotonic()

    def show(self, line: str) -> None:
        """Show the state of the work. Elsewhere than on a terminal, only if the last line is some seconds old."""
        if self._rewrites:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", flush=True)
        elif time.monotonic() - self._shown_at >= SECONDS_BETWEEN_LINES:
            self.say(line)

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._say:
            self._say(line)
        else:
            self.clear()
            print(line, flush=True)
        self._shown_at = time.monotonic()

    def clear(self) -> None:
        """Leave the terminal's line empty, for what others write."""
        if self._rewrites:
            print("\r\x1b[K", end="", flush=True)
