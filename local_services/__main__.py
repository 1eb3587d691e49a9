"""The commands behind ``make up``, ``make down`` and ``make status``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from local_services.compose import user_settings
from local_services.machine import Machine
from taxi_assets import settings
from taxi_assets.errors import TaxiAssetsError

_console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 1 if it failed or, with ``status``, if a service is down, else 0."""
    parser = argparse.ArgumentParser(prog="python -m local_services", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status"])
    command: str = parser.parse_args(arguments).command
    try:
        machine = Machine(settings.home(), user_settings())
        return {"up": _up, "down": _down, "status": _status}[command](machine)
    except TaxiAssetsError as error:
        _console.print(str(error), style="red", markup=False)
        return 1


def _up(machine: Machine) -> int:
    machine.up(_console.print)
    webserver = machine.services["webserver"]
    data = machine.services["data"]
    _console.print(
        f"""
The UI is at [bold]{webserver.address}[/bold], the data database at {data.address} (user taxi). Next:
  make status    show what runs, and where its logs are
  make down      stop it; all data stays in {machine.home}"""
    )
    return 0


def _down(machine: Machine) -> int:
    machine.down(_console.print)
    return 0


def _status(machine: Machine) -> int:
    states = [(service, service.process.process()) for service in machine.services.values()]
    for service, process in states:
        state = f"runs as {process.pid}" if process else "is down"
        _console.print(f"{service.title:<28} {state:<16} {service.address:<24} {service.process.log}", markup=False)
    return 0 if all(process for _, process in states) else 1


if __name__ == "__main__":
    sys.exit(main())
