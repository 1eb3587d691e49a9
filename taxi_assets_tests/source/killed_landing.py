"""Lands a file again and again, killed a moment later each time. Run as a module: source folder, landing folder.

Each attempt is a process of its own that ends itself with SIGKILL just before its n-th change of the landing folder;
what it leaves is judged and repaired by a next one. Prints one JSON line per moment.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path

from taxi_assets.errors import LandingError
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets_tests.source.made_files import FILE

LOG = logging.getLogger("killed")
_CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate"}


def land_killed_before_change(number: int, source: Path, landing: Path) -> bool:
    """Land in a child process; returns whether it was killed."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in _CHANGES and str(landing) in str(arguments[0]):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        FolderLandingZone(landing).land(FILE, FolderOrigin(source), LOG)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def state(landing: Path) -> str | None:
    """The hash of what counts as landed, or None."""
    try:
        return FolderLandingZone(landing).landed(FILE).sha256
    except LandingError:
        return None


def main(old: Path, new: Path, work: Path) -> None:
    number = 1
    killed = True
    while killed:
        landing = work / f"landing{number}"
        FolderLandingZone(landing).land(FILE, FolderOrigin(old), LOG)
        killed = land_killed_before_change(number, new, landing)
        after = state(landing)
        repaired = FolderLandingZone(landing).land(FILE, FolderOrigin(new), LOG)
        left = sorted(path.name for path in repaired.path.parent.iterdir() if not path.name.startswith("."))
        print(json.dumps({"killed": killed, "after": after, "repaired": state(landing), "left": left}))
        shutil.rmtree(landing)
        number += 1


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
