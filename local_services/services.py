"""The services of docker-compose.yml as processes of this machine: how each is started, checked and ended."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from local_services import health
from local_services.background import Background
from local_services.compose import PROJECT, Service
from local_services.errors import LocalServiceError
from local_services.postgres import (
    any_programs,
    is_whole,
    make_cluster,
    require_reachable,
    server_account,
    server_command,
)
from taxi_assets.deployment.health import code_server_answers, daemons_report, webserver_answers

_STOP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class LocalService(ABC):
    """A service as a process of this machine, running or not.

    Attributes:
        service: Its description in docker-compose.yml.
        environment: All environment variables of its process.
        folder: The folder of its pid file, its log and its data.
    """

    service: Service
    environment: Mapping[str, str]
    folder: Path

    @property
    @abstractmethod
    def title(self) -> str:
        """Its name for people."""

    @property
    def process(self) -> Background:
        """Its process."""
        return Background(self.service.name, self.folder)

    @abstractmethod
    def start(self) -> None:
        """Start its process, without waiting for it.

        Raises:
            LocalServiceError: It can't be started.
        """

    @abstractmethod
    def is_healthy(self) -> bool:
        """Whether it works."""

    @abstractmethod
    def stop(self) -> None:
        """End its process, if there is one."""

    @property
    def address(self) -> str:
        """Its address for people; empty if it has none."""
        return f"{health.HOST}:{self.service.port}" if self.service.port else ""

    def require_free_port(self) -> None:
        """Make sure that its port is free.

        Raises:
            LocalServiceError: Another program has the port.
        """
        port = self.service.port
        if port is None:
            return
        with socket.socket() as listener:
            # As servers do, so that the remains of a closed connection don't count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((health.HOST, port))
            except OSError as error:
                raise LocalServiceError(
                    f"Port {port}, where “{self.service.name}” is to listen, is not free ({error.strerror}): "
                    f"end the program that has it, or set {self.service.port_variable} to another port."
                ) from error


class PostgresService(LocalService):
    """A PostgreSQL server. Its cluster is made at the first start."""

    @property
    @override
    def title(self) -> str:
        return f"PostgreSQL for {self._access['database']}"

    @override
    def start(self) -> None:
        programs = any_programs()
        home = self.folder / self.service.name
        if not is_whole(home):
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(mode=0o700, parents=True)
            require_reachable(home)
            make_cluster(programs, home, **self._access)
        self.process.start(
            server_command(programs, home / "cluster", int(self.environment["PGPORT"])),
            folder=home,
            environment=self.environment,
            account=server_account(),
        )

    @override
    def is_healthy(self) -> bool:
        return health.postgres_answers(int(self.environment["PGPORT"]), **self._access)

    @override
    def stop(self) -> None:
        # PostgreSQL's mode “fast”: it rolls back open transactions, and ends its children itself.
        self.process.stop(signal.SIGINT, seconds=_STOP_SECONDS, with_children=False)

    @property
    def _access(self) -> dict[str, str]:
        return {
            "database": self.environment["DATABASE_NAME"],
            "user": self.environment["DATABASE_OWNER"],
            "password": self.environment["DATABASE_PASSWORD"],
        }


class DagsterService(LocalService):
    """One of Dagster's own programs, started by its container's command."""

    @override
    def start(self) -> None:
        program, *arguments = self.service.command
        # The program of this virtual environment, whatever the PATH says.
        command = [str(Path(sys.executable).parent / program), *arguments]
        self.process.start(command, folder=PROJECT, environment=self.environment)

    @override
    def stop(self) -> None:
        self.process.stop(signal.SIGTERM, seconds=_STOP_SECONDS, with_children=True)


class CodeServer(DagsterService):
    """Serves the definitions, and starts runs as its child processes."""

    @property
    @override
    def title(self) -> str:
        return "Code server"

    @override
    def is_healthy(self) -> bool:
        return code_server_answers(self.environment)


class Webserver(DagsterService):
    """The UI."""

    @property
    @override
    def title(self) -> str:
        return "Dagster's UI"

    @property
    @override
    def address(self) -> str:
        return f"http://{super().address}"

    @override
    def is_healthy(self) -> bool:
        return webserver_answers(self.environment)


class Daemon(DagsterService):
    """Runs schedules, sensors, backfills, and the queue of runs."""

    @property
    @override
    def title(self) -> str:
        return "Daemon"

    @override
    def is_healthy(self) -> bool:
        return daemons_report(self.environment)
