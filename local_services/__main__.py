"""The commands behind ``make up``, ``make down``, ``make status``, ``make shell`` and ``make env``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console

from local_services.compose import user_settings
from local_services.machine import Machine
from local_services.overview import overview
from local_services.running import settings_in
from taxi_assets import settings
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.shell import give, settings_of_dev

_console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
# As a shell reports a program that Ctrl-C has ended.
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Returns:
        0; 1 if it failed, or if ``status`` finds only some services; 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m local_services", description=__doc__)
    parser.add_argument("command", choices=[*_COMMANDS])
    command: str = parser.parse_args(arguments).command
    try:
        machine = Machine(settings.home(), user_settings())
        return _COMMANDS[command](machine)
    except TaxiAssetsError as error:
        # The output of `env` is executed by the user's shell.
        console = _errors if command == "env" else _console
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        _errors.print("Interrupted: what has been started keeps running, and make down ends it.")
        return _INTERRUPTED


def _up(machine: Machine) -> int:
    machine.up(_console.print)
    _console.print()
    _print_overview(machine)
    _console.print(
        "make status shows this again, with process ids and logs; make down stops everything, and all data stays."
    )
    return 0


def _down(machine: Machine) -> int:
    machine.down(_console.print)
    return 0


def _status(machine: Machine) -> int:
    rows = [(service.title, service.process, service.address) for service in machine.services.values()]
    rows.append(("Supervisor", machine.supervisor, ""))
    states = [background.process() for _, background, _ in rows]
    if not any(states):
        _console.print("Nothing is running: make up starts everything.")
        return 0
    for (title, background, address), process in zip(rows, states, strict=True):
        state = f"runs as {process.pid}" if process else "is down"
        _console.print(f"{title:<28} {state:<16} {address:<24} {background.log}", markup=False)
    _console.print()
    _print_overview(machine)
    if all(states):
        return 0
    _console.print("To start what is down, run make up.")
    return 1


def _supervise(machine: Machine) -> int:
    machine.supervise(lambda line: print(line, flush=True))
    return 0


def _shell(machine: Machine) -> int:
    return _give("shell", machine)


def _env(machine: Machine) -> int:
    return _give("env", machine)


def _give(command: str, machine: Machine) -> int:
    running = settings_in(machine.services["code"])
    if running is None:
        return give(command, settings_of_dev(), "make dev and make demo, because nothing of make up runs")
    return give(command, running, "the services that make up has started")


def _print_overview(machine: Machine) -> None:
    for subject, words in overview(machine):
        _console.print(f"{subject:<14}{words}", markup=False, soft_wrap=True)


_COMMANDS: Final[Mapping[str, Callable[[Machine], int]]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "supervise": _supervise,
    "shell": _shell,
    "env": _env,
}

if __name__ == "__main__":
    sys.exit(main())
