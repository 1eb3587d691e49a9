"""``make shell`` and ``make env``: the command line with the settings of what runs.

This module knows those of ``make dev`` and ``make demo``; ``local_services`` knows those of ``make up``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from taxi_assets import settings
from taxi_assets.dagster_home import dagster_home
from taxi_assets.errors import TaxiAssetsError

PROGRAMS: Final = Path(sys.executable).parent
"""The folder of the commands ``dg`` and ``dagster``."""

_PREFIXES: Final = ("DAGSTER_", "GCP_", "TAXI_")
_OTHERS: Final = frozenset(
    {
        *("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"),
        *("BIGQUERY_STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start a shell, or print lines for ``eval``, with the settings of ``make dev`` and ``make demo``."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.shell", description=__doc__)
    parser.add_argument("command", choices=["shell", "env"])
    command: str = parser.parse_args(arguments).command
    try:
        return give(command, settings_of_dev(), "make dev and make demo")
    except TaxiAssetsError as error:
        print(error, file=sys.stderr)
        return 1


def settings_of_dev() -> Mapping[str, str]:
    """The settings of ``make dev`` and ``make demo``: those of this process, with the folder of Dagster's state.

    Raises:
        SettingsError: The folder can't be made.
    """
    ours = {name: value for name, value in os.environ.items() if is_setting(name)}
    return {**ours, settings.DAGSTER_HOME.name: str(dagster_home())}


def is_setting(name: str) -> bool:
    """Whether a variable is a setting of the project, of Dagster or of the libraries that fetch files."""
    return name.startswith(_PREFIXES) or name in _OTHERS


def give(command: str, chosen: Mapping[str, str], of: str) -> int:
    """Start a shell that has these settings and no others, or print the lines that give them to the current one.

    Args:
        command: ``shell`` or ``env``. A shell takes the place of this process.
        chosen: The settings, which may contain passwords: only the lines for ``eval`` show them.
        of: Whose settings they are, for a message.

    Returns:
        The exit code.
    """
    print(f"The settings are those of {of}.", file=sys.stderr)
    if command == "shell":
        _enter_shell(chosen)
    print("\n".join(lines_for_eval(chosen)))
    return 0


def _enter_shell(chosen: Mapping[str, str]) -> NoReturn:
    others = {name: value for name, value in os.environ.items() if not is_setting(name)}
    path = os.pathsep.join([str(PROGRAMS), others.get("PATH", os.defpath)])
    environment = {**others, **chosen, "PATH": path, "VIRTUAL_ENV": str(PROGRAMS.parent)}
    print("dg and dagster are on its PATH; exit leaves the shell.", file=sys.stderr, flush=True)
    program = others.get("SHELL") or "/bin/sh"
    os.execve(program, [program], environment)  # noqa: S606 - the user's own shell


def lines_for_eval(chosen: Mapping[str, str]) -> Sequence[str]:
    """Commands for a POSIX shell that set these settings, take away all others, and put our commands on the PATH."""
    superfluous = sorted(name for name in os.environ if is_setting(name) and name not in chosen)
    return [
        *(f"unset {name}" for name in superfluous),
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(chosen.items())),
        f'export PATH={shlex.quote(str(PROGRAMS))}:"$PATH"',
    ]


if __name__ == "__main__":
    sys.exit(main())
