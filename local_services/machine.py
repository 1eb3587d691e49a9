"""All services of docker-compose.yml on this machine: started in order, and ended in reverse order."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from local_services import health
from local_services.background import Background
from local_services.compose import PROJECT, Service, read_services
from local_services.errors import LocalServiceError
from local_services.running import Change, changes
from local_services.services import CodeServer, Daemon, LocalService, PostgresService, Webserver
from local_services.supervisor import Supervisor
from taxi_assets.dagster_home import put_instance_settings
from taxi_assets.errors import SettingsError
from taxi_assets.files import make_private_folder
from taxi_assets.settings import SAMPLE_NAME, SOURCE

# Without pgAdmin, for which any client of the user's own will do.
_KINDS: Final[Mapping[str, type[LocalService]]] = {
    "metadata": PostgresService,
    "data": PostgresService,
    "code": CodeServer,
    "webserver": Webserver,
    "daemon": Daemon,
}
# As long as docker-compose.yml gives a container; a process that ends is noticed at once.
_START_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.1
_SUPERVISOR_SECONDS: Final = 30.0
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

    @property
    def supervisor(self) -> Background:
        """The process that starts services again that have died."""
        return Background("supervisor", self.folder)

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
        """Start the services that don't run, wait until all are healthy, and have them started again if they die.

        Args:
            say: Gets a line for each service.

        Raises:
            LocalServiceError: Services run with other settings, a port is not free, a service does not start, or
                another command starts or ends them at this moment. Those that have started keep running.
        """
        self._make_folders()
        with self._alone():
            self._require_same_settings()
            # Before the supervisor ends, so that what runs keeps it if this fails.
            for service in self._down().values():
                service.require_free_port()
            self._end_supervisor()
            self._start_services(say)
            self.supervisor.start(
                [sys.executable, "-m", "local_services", "supervise"],
                folder=PROJECT,
                environment={**self._variables, "TAXI_HOME": str(self.home)},
            )

    def _down(self) -> Mapping[str, LocalService]:
        return {name: service for name, service in self.services.items() if not service.process.process()}

    def _start_services(self, say: Say) -> None:
        down = self._down()
        for name, service in self.services.items():
            if name not in down:
                say(f"{service.title} runs already")
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
        """End the services that run, in reverse order. Their data stays.

        Raises:
            LocalServiceError: Another command starts or ends them at this moment.
        """
        if not self.folder.exists():
            say("Nothing was running")
            return
        with self._alone():
            self._end_services(say)

    def _end_services(self, say: Say) -> None:
        self._end_supervisor()
        running = self.services.keys() - self._down().keys()
        for name, service in reversed(list(self.services.items())):
            # One that has died may have left processes behind.
            service.stop()
            if name in running:
                say(f"{service.title} has ended")
        if not running:
            say("Nothing was running")

    def supervise(self, say: Say) -> None:
        """Start services again that die, until the process is told to end.

        Args:
            say: Gets a line for each.
        """
        Supervisor(self.services, say).watch()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other commands from starting or ending services meanwhile."""
        try:
            with FileLock(self.folder / "command.lock", blocking=False):
                yield
        except Timeout as error:
            raise LocalServiceError(
                f"Another make up or make down is at work in {self.folder}: wait until it has ended, then run this "
                "again."
            ) from error

    def _require_same_settings(self) -> None:
        """Make sure that services that run have the settings that they would be started with now."""
        changed = changes(self.services.values())
        if not changed:
            return
        source = self._variables.get(SOURCE.name)
        command = f"make up SOURCE={shlex.quote(source)}" if source else "make up"
        raise LocalServiceError(
            f"The services run with other settings ({'; '.join(map(str, changed))}), so nothing was changed: for the "
            f"new settings run “make down”, then “{command}”; all data stays.{_about_the_sample(changed)}"
        )

    def _end_supervisor(self) -> None:
        # Its children are the services that it has started.
        self.supervisor.stop(signal.SIGTERM, seconds=_SUPERVISOR_SECONDS, with_children=False)

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


def _about_the_sample(changed: Iterable[Change]) -> str:
    """What becomes of the sample's months if services that load the sample are to load from elsewhere."""
    if not any(change.name == SOURCE.name and change.running == SAMPLE_NAME for change in changed):
        return ""
    return (
        " A month of the sample stays in the warehouses until it is loaded from the new source; “make remove-sample” "
        "removes all that are left."
    )


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
