"""All processes of ``make up`` on ports of their own, as a user's commands start and end them, and their GraphQL."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import psutil
import psycopg

from local_services.machine import Machine
from local_services.postgres import free_port
from taxi_assets.taxis import Taxi, chosen_taxis
from taxi_assets.warehouses import all_warehouses
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets_tests.paths import PROJECT

PORTS = ("DAGSTER_POSTGRES_PORT", "TAXI_POSTGRES_PORT", "TAXI_CODE_PORT", "TAXI_UI_PORT")
WAREHOUSES = [warehouse for warehouse in all_warehouses() if warehouse.name in ("duckdb", "postgres")]

_BACKFILL = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status runs(limit: 50) { id status tags { key value } } }
  }
}
"""
_NEWEST_BACKFILL = """
query { partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills { results { id } } } }
"""
_MADE = """
query ($key: AssetKeyInput!) {
  assetOrError(assetKey: $key) {
    ... on Asset { assetMaterializations(limit: 100) { runId } }
  }
}
"""
_EVENTS = """
query ($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on ExecutionStepFailureEvent { message error { message } } } }
  }
}
"""
_LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_REPOSITORIES = """
query { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""
_ASSETS_OF_JOB = """
query ($job: PipelineSelector!) { assetNodes(pipeline: $job) { assetKey { path } } }
"""
_PARTITIONS = """
query ($key: AssetKeyInput!) {
  assetNodes(assetKeys: [$key]) {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } }
  }
}
"""

T = TypeVar("T")


@dataclass
class Running:
    """The processes, in a home of their own.

    Attributes:
        home: Its TAXI_HOME.
        settings: The user's settings: ports and the source.
    """

    home: Path
    settings: Mapping[str, str]

    @classmethod
    def in_folder(cls, home: Path, **settings: str) -> Running:
        """Nothing runs yet; the ports are free ones."""
        ports: set[int] = set()
        while len(ports) < len(PORTS):
            ports.add(free_port())
        chosen = dict(zip(PORTS, map(str, ports), strict=True))
        return cls(home, {"TAXI_SOURCE": "sample", **chosen, **settings})

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run ``make up``, ``make down`` or ``make status`` without make."""
        return self._run("-m", "local_services", name)

    def begin(self, name: str) -> subprocess.Popen[str]:
        """Start that command without waiting for its end; all that it says is in its ``stdout``."""
        return subprocess.Popen(
            [sys.executable, "-m", "local_services", name],
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    @property
    def _environment(self) -> Mapping[str, str]:
        ours = ("TAXI_", "DAGSTER_", "GCP_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**inherited, **self.settings, "TAXI_HOME": str(self.home)}

    def start(self, *names: str) -> None:
        """Start services in this order, without waiting until they work, as after a restart of the machine."""
        code = """
import sys
from local_services.compose import user_settings
from local_services.machine import Machine
from taxi_assets import settings
services = Machine(settings.home(), user_settings()).services
for name in sys.argv[1:]:
    services[name].start()
"""
        done = self._run("-c", code, *names)
        assert done.returncode == 0, done.stderr

    def up(self) -> str:
        """Start what does not run, and return what the command said."""
        done = self.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def machine(self) -> Machine:
        return Machine(self.home, self.settings)

    @property
    def ui(self) -> str:
        return self.machine.services["webserver"].address

    def processes(self) -> dict[str, psutil.Process | None]:
        """The main process of each service by its name."""
        return {name: service.process.process() for name, service in self.machine.services.items()}

    def supervisor(self) -> psutil.Process | None:
        """The process that starts services again that have died, if it runs."""
        return self.machine.supervisor.process()

    def end_supervisor(self) -> None:
        """From now on a service that dies stays away, until the next ``up``."""
        self.machine.supervisor.stop(signal.SIGTERM, seconds=30, with_children=False)

    def kill(self, name: str) -> None:
        """End a service and all its children without warning, as a power cut would."""
        process = self.processes()[name]
        assert process is not None
        doomed = [process, *process.children(recursive=True)]
        for each in doomed:
            each.kill()
        psutil.wait_procs(doomed, timeout=30)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """What GraphQL answers."""
        answer = httpx2.post(f"{self.ui}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def assets_of_job(self, job: str) -> list[list[str]]:
        """Keys of the assets that the page of a job shows, and that its button *Materialize all* launches."""
        repository = self.ask(_REPOSITORIES)["repositoriesOrError"]["nodes"][0]
        selector = {
            "pipelineName": job,
            "repositoryName": repository["name"],
            "repositoryLocationName": repository["location"]["name"],
        }
        return [node["assetKey"]["path"] for node in self.ask(_ASSETS_OF_JOB, job=selector)["assetNodes"]]

    def launch_backfill(self, months: Sequence[str], assets: Sequence[Sequence[str]] | None = None) -> str:
        """Launch a backfill of these assets, or of all of both taxis, and return its id."""
        keys = assets or [["raw", taxi.table] for taxi in chosen_taxis().values()] + [
            [warehouse.name, table]
            for warehouse in WAREHOUSES
            for taxi in chosen_taxis().values()
            for table in (taxi.month_asset, taxi.table)
        ]
        params = {"assetSelection": [{"path": key} for key in keys], "partitionNames": list(months)}
        launched = self.ask(_LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def backfill(self, backfill_id: str) -> dict[str, Any]:
        """Its status and its runs."""
        return self.ask(_BACKFILL, id=backfill_id)["partitionBackfillOrError"]

    def newest_backfill(self) -> str:
        """Id of the backfill that was launched last."""
        (newest,) = self.ask(_NEWEST_BACKFILL)["partitionBackfillsOrError"]["results"]
        return newest["id"]

    def is_made_by(self, run_id: str, key: str) -> bool:
        """Whether a run has materialized an asset."""
        asset = self.ask(_MADE, key={"path": key.split("/")})["assetOrError"]
        return run_id in {made["runId"] for made in asset.get("assetMaterializations", ())}

    def failures(self, backfill_id: str) -> list[str]:
        """Why steps of its runs have failed."""
        runs = self.backfill(backfill_id)["runs"]
        events = [event for run in runs for event in self.ask(_EVENTS, id=run["id"])["logsForRun"]["events"]]
        return [f"{event['message']} {(event['error'] or {}).get('message')}" for event in events if event]

    def materialized(self, key: str) -> list[tuple[str, str]]:
        """The ranges of an asset's months that are materialized."""
        (node,) = self.ask(_PARTITIONS, key={"path": key.split("/")})["assetNodes"]
        ranges = node["assetPartitionStatuses"]["ranges"]
        return [(each["startKey"], each["endKey"]) for each in ranges if each["status"] == "MATERIALIZED"]

    def trips(self, taxi: Taxi, months: Iterable[str]) -> dict[str, dict[str, tuple[int, int]]]:
        """Number of trips and of different ids for each month, by warehouse."""
        statement = f"SELECT filename, count(*), count(DISTINCT unique_row_id) FROM {taxi.table} GROUP BY filename"
        # A run may be loading other months: this waits for its turn as every load does.
        with DuckDBWarehouse(database=str(self.home / "warehouse.duckdb")).get_connection() as embedded:
            found = {"duckdb": embedded.execute(statement).fetchall()}
        with psycopg.connect(self.data_url) as server:
            found["postgres"] = server.execute(statement).fetchall()
        names = {f"{taxi.table}_{month}.csv": month for month in months}
        return {
            warehouse: {names[name]: (rows, ids) for name, rows, ids in lines if name in names}
            for warehouse, lines in found.items()
        }

    def rows_in_files(self, taxi: Taxi, months: Iterable[str]) -> dict[str, int]:
        """Rows of the landed files, counted without the project's own reader."""
        found = {}
        for month in months:
            with gzip.open(self.home / "landing" / taxi.name / f"{taxi.table}_{month}.csv.gz") as file:
                found[month] = sum(1 for line in file if line.strip()) - 1
        return found

    @property
    def data_url(self) -> str:
        """The data database, as its user reaches it with the default password."""
        return f"postgresql://taxi:taxi@{self.machine.services['data'].address}/taxi"


def until(what: str, ask: Callable[[], T | None], *, seconds: float = 180) -> T:
    """Wait until the answer is something true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds} seconds in vain: {what}")
