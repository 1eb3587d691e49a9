"""Runs one backfill through the daemon, with all processes of ``make up``, and measures its phases."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2

from local_services.machine import Machine
from local_services.postgres import free_port
from taxi_assets.months import parse_month_range
from taxi_assets.taxis import get_taxi

_PORTS: Final = ("DAGSTER_POSTGRES_PORT", "TAXI_POSTGRES_PORT", "TAXI_CODE_PORT", "TAXI_UI_PORT")
_PATIENCE_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.25

_LAUNCH: Final = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { ... on LaunchBackfillSuccess { backfillId } }
}
"""
_RUNS: Final = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { runs(limit: 100) { status creationTime startTime endTime } }
  }
}
"""
_ENDED: Final = ("SUCCESS", "FAILURE", "CANCELED")

T = TypeVar("T")


def through_the_daemon(
    source: str, home: str, taxis: list[str], months: str, seconds_after_look: float
) -> dict[str, Any]:
    """Backfill a range of months of all taxis in DuckDB, with the processes of ``make up`` on free ports.

    Args:
        source: Folder of the files.
        home: Folder for everything that is written.
        taxis: Names of the taxis.
        months: The range.
        seconds_after_look: Seconds between the daemon's start, when it looks for backfills, and the launch.

    Returns:
        Seconds from the launch to the end of the last run (``seconds``); of these, the seconds until the daemon has
        created the first run (``waiting``) and from then until it has started (``starting``); the number of runs
        (``runs``), and whether all have succeeded (``succeeded``).
    """
    settings = {name: str(free_port()) for name in _PORTS} | {"TAXI_SOURCE": source}
    Path(home).chmod(0o755)  # if this user is root, PostgreSQL runs as another one, which must be able to enter
    machine = Machine(Path(home), {**os.environ, **settings})
    try:
        machine.up(lambda _: None)
        time.sleep(seconds_after_look)
        return _backfill(machine.services["webserver"].address, taxis, months)
    finally:
        machine.down(lambda _: None)


def _backfill(address: str, taxis: list[str], months: str) -> dict[str, Any]:
    keys = [
        key
        for taxi in map(get_taxi, taxis)
        for key in (["raw", taxi.table], ["duckdb", taxi.month_asset], ["duckdb", taxi.table])
    ]
    params = {
        "assetSelection": [{"path": key} for key in keys],
        "partitionNames": [str(month) for month in parse_month_range(months)],
    }
    launched = time.time()
    backfill = _ask(address, _LAUNCH, params=params)["launchPartitionBackfill"]["backfillId"]
    runs = _wait(lambda: _ended_runs(address, backfill))
    created, started = (min(run[name] for run in runs) for name in ("creationTime", "startTime"))
    return {
        "seconds": max(run["endTime"] for run in runs) - launched,
        "waiting": created - launched,
        "starting": started - created,
        "runs": len(runs),
        "succeeded": all(run["status"] == "SUCCESS" for run in runs),
    }


def _ended_runs(address: str, backfill: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = _ask(address, _RUNS, id=backfill)["partitionBackfillOrError"]["runs"]
    return runs if all(run["status"] in _ENDED for run in runs) else []


def _ask(address: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = httpx2.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=60)
    data: dict[str, Any] = answer.raise_for_status().json()["data"]
    return data


def _wait(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"The backfill has not ended after {_PATIENCE_SECONDS:.0f} seconds.")
