"""The command line of `python -m environments`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from environments.errors import InstallationError
from environments.making import make


def run(arguments: Sequence[str]) -> int:
    """Run the command, and return the exit code."""
    parser = argparse.ArgumentParser(prog="environments", description="Make a virtual environment and install into it.")
    parser.add_argument("folder", type=Path, help="the environment; one that exists is kept")
    parser.add_argument("requirements", nargs="*", help="packages to install")
    parser.add_argument("--editable", metavar="PROJECT", help="a project to install, such as .[ui]")
    parser.add_argument("--constraint", type=Path, metavar="FILE", help="file with the versions to install")
    parser.add_argument("--python", help="the Python of a new environment, if not the one that runs this")
    parser.add_argument("--what", default="packages", help="what is installed, for the first line")
    options = parser.parse_intermixed_args(arguments)
    editable = ["--editable", options.editable] if options.editable else []
    try:
        make(
            options.folder,
            [*editable, *options.requirements],
            constraints=options.constraint,
            python=Path(shutil.which(options.python) or options.python) if options.python else None,
            what=options.what,
        )
    except InstallationError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe installation was stopped: run the same command again, and it goes on.", file=sys.stderr)
        return 130
    return 0
