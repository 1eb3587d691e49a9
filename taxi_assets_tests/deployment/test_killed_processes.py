"""Backfills outlive the processes that carry them: killed without warning and started again, they finish the work."""

from __future__ import annotations

import pytest

from taxi_assets.taxis import all_taxis
from taxi_assets_tests.deployment.running import Running, until

pytestmark = pytest.mark.xdist_group("deployment")

WITHOUT_DAEMON = ["2020-01", "2020-02", "2020-03"]
WITHOUT_CODE_SERVER = ["2020-07", "2020-08", "2020-09"]


@pytest.fixture(scope="module")
def backfills(running: Running) -> tuple[str, str]:
    """Two backfills: the daemon was killed during the first one, the code server with its runs during the second."""
    first = running.launch_backfill(WITHOUT_DAEMON)
    wait_until_a_run_has_started(running, first)
    running.kill("daemon")
    second = running.launch_backfill(WITHOUT_CODE_SERVER)
    assert "Starting Daemon" in running.up()
    wait_until_a_run_has_started(running, second)
    wait_until_its_runs_have_ended(running, first)  # it is the second one that is to lose its run
    running.kill("code")
    assert "Starting Code server" in running.up()
    return first, second


def wait_until_a_run_has_started(running: Running, backfill: str) -> None:
    until("a run has started", lambda: "STARTED" in [run["status"] for run in running.backfill(backfill)["runs"]])


def wait_until_its_runs_have_ended(running: Running, backfill: str) -> None:
    ended = {"SUCCESS", "FAILURE", "CANCELED"}
    until("its runs have ended", lambda: {run["status"] for run in running.backfill(backfill)["runs"]} <= ended)


def wait_until_it_has_succeeded(running: Running, backfill: str) -> None:
    until("the backfill has ended", lambda: running.backfill(backfill)["status"] not in ("REQUESTED", "CANCELING"))
    assert running.backfill(backfill)["status"] == "COMPLETED_SUCCESS", running.failures(backfill)


def assert_each_trip_is_there_once(running: Running, months: list[str]) -> None:
    for taxi in all_taxis().values():
        trips = running.trips(taxi, months)
        assert trips["duckdb"] == trips["postgres"]
        assert sorted(trips["duckdb"]) == months
        landed = running.rows_in_files(taxi, months)
        assert {month: rows for month, (rows, _) in trips["duckdb"].items()} == landed
        assert all(rows == ids for rows, ids in trips["duckdb"].values())
        for warehouse in trips:
            assert (months[0], months[-1]) in running.materialized(f"{warehouse}/{taxi.table}")


def test_a_backfill_finishes_whose_daemon_was_killed(running: Running, backfills: tuple[str, str]):
    wait_until_it_has_succeeded(running, backfills[0])
    assert_each_trip_is_there_once(running, WITHOUT_DAEMON)


def test_a_backfill_finishes_whose_code_server_was_killed_with_its_runs(running: Running, backfills: tuple[str, str]):
    wait_until_it_has_succeeded(running, backfills[1])
    statuses = sorted(run["status"] for run in running.backfill(backfills[1])["runs"])
    assert statuses == ["FAILURE", "SUCCESS"], "the run that was lost is noticed, and started once more"
    assert_each_trip_is_there_once(running, WITHOUT_CODE_SERVER)
