"""A project whose source is a web server, and which evaluates the sensor and does what it requests."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from typing_extensions import override

from taxi_assets.automation.cursor import read_cursor
from taxi_assets.automation.records import read_records
from taxi_assets.automation.sensors import SensorDecision, decide
from taxi_assets.months import Month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.csv_files import csv_bytes, made_trips
from taxi_assets_tests.project import GREEN, Project
from taxi_assets_tests.source.file_server import Fault, FileServer, Served

NOON = 1_700_000_000.0
HOUR = 3600.0


class WatchedProject(Project):
    """A project that evaluates the sensor of new files, and does what it requests.

    Attributes:
        server: The source.
        cursor: What the last evaluation kept.
    """

    def __init__(self, folder: Path, server: FileServer) -> None:
        super().__init__(folder, address=server.address)
        self.server = server
        self.cursor: str | None = None
        self.repository = self.definitions().get_repository_def()

    @override
    def trip_source(self, *, keep_raw_files: bool = True) -> TripSource:
        return TripSource(
            address=self.address,
            landing=str(self.landing),
            keep_raw_files=keep_raw_files,
            timeout_seconds=0.5,
            attempts=2,
            backoff_seconds=0.01,
            backoff_limit_seconds=0.05,
        )

    def publish(self, month: Month, taxi: Taxi = GREEN, *, rows: int = 10, bad: bool = False) -> None:
        """Put a month on the server; other numbers of rows make other versions."""
        trips = made_trips(taxi, month, rows)
        if bad:
            trips[0]["fare_amount"] = "abc"
        body = gzip.compress(csv_bytes(taxi.header, trips), mtime=0)
        self.server.files[self.path(month, taxi)] = Served(body, etag=f'"{rows} {bad}"')

    def spoil(self, month: Month, *faults: Fault, taxi: Taxi = GREEN) -> None:
        """Let the next requests for a month fail."""
        self.server.faults_at[self.path(month, taxi)] = deque(faults)

    def path(self, month: Month, taxi: Taxi = GREEN) -> str:
        return f"/{taxi.file_path(month)}"

    def look(self, now: float = NOON) -> SensorDecision:
        """One evaluation of the sensor at a moment, with the cursor of the one before."""
        decision = decide(
            self.trip_source(),
            read_records(self.instance, self.repository.asset_graph, [WAREHOUSE]),
            read_cursor(self.cursor),
            now=now,
        )
        self.cursor = decision.cursor.to_text()
        return decision

    def look_until_all_are_asked(self, now: float = NOON) -> list[dg.RunRequest]:
        """Evaluations until there is nothing more to ask about at that moment."""
        requests: list[dg.RunRequest] = []
        while True:
            decision = self.look(now)
            if "was asked about all" in decision.message:
                return requests
            requests += decision.requests

    def do(self, request: dg.RunRequest, **settings: object) -> dg.ExecuteInProcessResult:
        """Do in this process what Dagster's daemon does with a request."""
        job = (
            self.definitions(**settings).resolve_job_def("load_all")
            if settings
            else self.repository.get_job("load_all")
        )
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            asset_selection=list(request.asset_selection) if request.asset_selection else None,
            raise_on_error=False,
        )


@contextmanager
def instance_on_disk() -> Iterator[dg.DagsterInstance]:
    """An instance as Dagster wants it for whole evaluations and resumed runs; it is slower than the one in memory."""
    no_logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with dg.instance_for_test(overrides={"telemetry": {"enabled": False}, "compute_logs": no_logs}) as instance:
        yield instance


def spans(requests: list[dg.RunRequest]) -> list[str]:
    """What requests are about: ``green 2019-01...2019-03``."""
    return [f"{request.tags['taxi']} {request.tags['month']}" for request in requests]
