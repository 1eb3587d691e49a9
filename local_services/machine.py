"""All services of docker-compose.yml on this machine: started in order, and ended in reverse order."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from local_services import health
from local_services.compose import PROJECT, Service, read_services
from local_services.errors import LocalServiceError
from local_services.services import CodeServer, Daemon, LocalService, PostgresService, Webserver
from taxi_assets.dagster_home import put_instance_settings
from taxi_assets.errors import SettingsError
from taxi_assets.files import make_private_folder

# Without pgAdmin, for which any client of the user's own will do.
_KINDS: Final[Mapping[str, type[LocalService]]] = {
    "metadata": PostgresService,
    "data": PostgresService,
    "code": CodeServer,
    "webserver": Webserver,
    "daemon": Daemon,
}
_START_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_INSTANCE_SETTINGS: Final = PROJECT / "deploy" / "dagster.yaml"

Say = Callable[[str], None]


class Machine:
    """All that ``make up`` starts and ``make down`` ends.

    Attributes:
        home: The folder of all state, TAXI_HOME.
        folder: The folder in home for pid files, logs, the databases and Dagster's own state.
    """

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        """Describe the services, without starting any.

        Args:
            home: The folder of all state.
            variables: The user's settings. All processes get them, below those of docker-compose.yml.
        """
        self.home = home
        self.folder = home / "up"
        self._variables = variables

    @cached_property
    def services(self) -> Mapping[str, LocalService]:
        """The services by name, each after those that it needs.

        Raises:
            SettingsError: A port is not a number, or two services have the same one.
        """
        known = {name: service for name, service in read_services(self._variables).items() if name in _KINDS}
        _require_different_ports(known.values())
        order = TopologicalSorter({name: service.starts_after for name, service in known.items()}).static_order()
        return {
            name: _KINDS[name](known[name], self._environment(known[name].environment), self.folder) for name in order
        }

    def up(self, say: Say) -> None:
        """Start the services that don't run, and wait until all are healthy.

        Args:
            say: Gets a line for each service.

        Raises:
            LocalServiceError: A port is not free, or a service does not start. Those that have started keep running.
        """
        down = {name: service for name, service in self.services.items() if not service.process.process()}
        for name, service in self.services.items():
            if name not in down:
                say(f"{service.title} runs already")
        for service in down.values():
            service.require_free_port()
        self._make_folders()
        waiting = TopologicalSorter({name: service.service.starts_after for name, service in self.services.items()})
        waiting.prepare()
        while waiting.is_active():
            ready = [self.services[name] for name in waiting.get_ready()]
            for service in ready:
                if service.service.name in down:
                    say(f"Starting {service.title}")
                    service.start()
            for service in ready:
                _wait_for(service)
                waiting.done(service.service.name)

    def down(self, say: Say) -> None:
        """End the services that run, in reverse order. Their data stays."""
        running = [service for service in self.services.values() if service.process.process()]
        for service in reversed(running):
            service.stop()
            say(f"{service.title} has ended")
        if not running:
            say("Nothing was running")

    def _environment(self, of_service: Mapping[str, str]) -> Mapping[str, str]:
        """A service's environment: as in its container, but with this machine's address and folders."""
        here = {name: health.HOST for name in of_service if name.endswith("_HOST")}
        folders = {"TAXI_HOME": str(self.home), "DAGSTER_HOME": str(self.folder / "dagster")}
        return {**self._variables, **of_service, **here, **folders}

    def _make_folders(self) -> None:
        dagster_home = self.folder / "dagster"
        try:
            make_private_folder(dagster_home)
            if os.geteuid() == 0:
                # PostgreSQL's account must get to its own folder; it can't list these.
                for folder in (self.home, self.folder):
                    folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            put_instance_settings(_INSTANCE_SETTINGS, dagster_home)
        except OSError as error:
            raise LocalServiceError(
                f"The folder {self.folder} can't be written ({error.strerror}): set TAXI_HOME to a folder that can be "
                "written."
            ) from error


def _require_different_ports(services: Collection[Service]) -> None:
    variables: dict[int, str] = {}
    for service in services:
        if service.port is None or service.port_variable is None:
            continue
        if service.port in variables:
            raise SettingsError(
                f"{variables[service.port]} and {service.port_variable} are both {service.port}: change one of them."
            )
        variables[service.port] = service.port_variable


def _wait_for(service: LocalService) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not service.is_healthy():
        if service.process.process() is None:
            raise LocalServiceError(
                f"{service.title} ended while it was starting (“{service.process.end_of_log()}”): correct the cause, "
                f"which is in {service.process.log}, and run make up again."
            )
        if time.monotonic() > deadline:
            raise LocalServiceError(
                f"{service.title} has not answered for {_START_SECONDS:.0f} seconds: see {service.process.log}, then "
                "run make down and make up again."
            )
        time.sleep(_POLL_SECONDS)
