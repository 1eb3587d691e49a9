"""Backfills outlive any order of stopping and starting the services: every month is loaded once, without a person.

Two orders are tried by default. ``TAXI_TEST_RESTARTS=all`` tries each order at each moment, which takes some two hours.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, product

import httpx2
import pytest

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.partitions import months_partitions
from taxi_assets.taxis import Taxi, chosen_taxis
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse
from taxi_assets_tests.deployment.running import Running, until

LOG = logging.getLogger(__name__)
DATABASES = ("metadata", "data")
DAGSTER = ("code", "webserver", "daemon")
ALL = (*DATABASES, *DAGSTER)
# Two runs at a time load trips, so the third waits in the queue while the first is loading.
BACKFILLS = 3


@dataclass(frozen=True)
class Step:
    """One thing that happens to services: ``stop``, ``kill`` or ``start``, one after the other; or a pause."""

    what: str
    services: Sequence[str] = ()
    seconds: float = 0.0

    def do(self, running: Running) -> None:
        time.sleep(self.seconds)
        if self.what == "start":
            running.start(*self.services)
        for name in self.services:
            if self.what == "stop":
                running.machine.services[name].stop()
            elif self.what == "kill":
                running.kill(name)


def stop(*services: str) -> Step:
    return Step("stop", services)


def kill(*services: str) -> Step:
    return Step("kill", services)


def start(*services: str) -> Step:
    return Step("start", services)


def wait(seconds: float) -> Step:
    """For what happens when a service is missed: longer than Dagster itself waits."""
    return Step("wait", seconds=seconds)


ORDERS: Mapping[str, Sequence[Step]] = {
    "all killed, started daemon first": [kill(*ALL), start("daemon"), wait(10), start("webserver", *DATABASES, "code")],
    "databases stopped first, code server last to start": [
        stop(*DATABASES),
        wait(10),
        start(*DATABASES),
        kill("code", "daemon"),
        start("daemon"),
        wait(15),
        start("code"),
    ],
    "all stopped as by make down": [stop(*reversed(ALL)), start(*ALL)],
    "all killed, started in order": [kill(*ALL), start(*ALL)],
    "databases killed and started": [kill(*DATABASES), start(*DATABASES)],
    "databases killed, away for long": [kill(*DATABASES), wait(45), start(*DATABASES)],
    "metadata database stopped, code server killed meanwhile": [
        stop("metadata"),
        kill("code"),
        wait(10),
        start("code", "metadata"),
    ],
    "code server stopped, away for long": [stop("code"), wait(75), start("code")],
    "code server killed twice": [kill("code"), start("code"), wait(20), kill("code"), wait(5), start("code")],
    "daemon killed, code server stopped before it is back": [
        kill("daemon"),
        stop("code"),
        start("daemon"),
        wait(45),
        start("code"),
    ],
    "daemon killed": [kill("daemon"), start("daemon")],
    "code server killed": [kill("code"), start("code")],
    "webserver killed": [kill("webserver"), start("webserver")],
    "one after the other": [step for name in ALL for step in (kill(name), start(name), wait(5))],
}


def is_requested(running: Running, backfills: Sequence[str]) -> bool:
    return all(running.backfill(each)["status"] == "REQUESTED" for each in backfills)


def has_run(status: str) -> Callable[[Running, Sequence[str]], bool]:
    def found(running: Running, backfills: Sequence[str]) -> bool:
        return any(run["status"] == status for each in backfills for run in running.backfill(each)["runs"])

    return found


MOMENTS: Mapping[str, Callable[[Running, Sequence[str]], bool]] = {
    "requested": is_requested,
    "queued": has_run("QUEUED"),
    "starting": has_run("STARTING"),
    "loading": has_run("STARTED"),
}
SOME = [
    ("all killed, started daemon first", "loading"),
    ("databases stopped first, code server last to start", "queued"),
]
CASES = (
    [(order, moment) for moment in reversed(MOMENTS) for order in ORDERS]
    if os.environ.get("TAXI_TEST_RESTARTS") == "all"
    else SOME
)


@pytest.fixture(scope="module")
def months() -> Iterator[str]:
    """Months that the other tests of these services do not load, taken one after the other."""
    return cycle(key for key in months_partitions().get_partition_keys() if key < "2020")


@pytest.mark.parametrize(("order", "moment"), CASES, ids=[" - ".join(case) for case in CASES])
def test_every_month_is_loaded_once(running: Running, months: Iterator[str], order: str, moment: str):
    assert running.up()
    chosen = [next(months) for _ in range(BACKFILLS)]
    forget(running, chosen)
    backfills = [running.launch_backfill([month]) for month in chosen]
    until(moment, lambda: MOMENTS[moment](running, backfills))
    running.end_supervisor()
    for step in ORDERS[order]:
        step.do(running)
    until("all backfills have ended", lambda: has_ended(running, backfills), seconds=600)
    for backfill in backfills:
        assert running.backfill(backfill)["status"] == "COMPLETED_SUCCESS", running.failures(backfill)
    for taxi in chosen_taxis().values():
        assert_loaded_once(running, taxi, chosen)
    assert all(running.processes().values()), "no service has ended"


def has_ended(running: Running, backfills: Sequence[str]) -> bool:
    with suppress(httpx2.HTTPError):  # the webserver may not be there yet
        return all(running.backfill(each)["status"] not in ("REQUESTED", "CANCELING", "FAILING") for each in backfills)
    return False


def forget(running: Running, months: Sequence[str]) -> None:
    """Remove months that an earlier order has loaded."""
    warehouses = [
        DuckDBWarehouse(database=str(running.home / "warehouse.duckdb")),
        PostgresWarehouse(url=running.data_url),
    ]
    for warehouse, taxi, month in product(warehouses, chosen_taxis().values(), months):
        with suppress(WarehouseError):  # it was not loaded before
            warehouse.remove_month(taxi, Month.parse(month), LOG)


def assert_loaded_once(running: Running, taxi: Taxi, months: Sequence[str]) -> None:
    landed = running.rows_in_files(taxi, months)
    for warehouse, trips in running.trips(taxi, months).items():
        assert {month: rows for month, (rows, _) in trips.items()} == landed, warehouse
        assert all(rows == ids for rows, ids in trips.values()), warehouse
        for month in months:
            ranges = running.materialized(f"{warehouse}/{taxi.table}")
            assert any(first <= month <= last for first, last in ranges), month
