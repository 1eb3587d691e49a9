"""Loads at the same time: of several months, and of one. (Emulator tests.)"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from taxi_assets.errors import WarehouseBusyError
from taxi_assets.months import Month
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import GREEN, JANUARY

LOG = logging.getLogger(__name__)


def test_four_months_at_once_are_all_right(project: GcpProject):
    months = [Month(2019, number) for number in range(1, 5)]
    for number, month in enumerate(months):
        project.put(made_trips(GREEN, month, 10 + number), month)
    assert project.changes("2019-01...2019-04", checks=False) == [(10 + number, 0, 0) for number in range(4)]
    found = project.query("SELECT CAST(file_month AS STRING), COUNT(*) FROM green_tripdata GROUP BY 1 ORDER BY 1")
    assert [(month[:10], rows) for month, rows in found] == [
        (str(month.first_day), 10 + number) for number, month in enumerate(months)
    ]


def test_two_runs_on_one_month_leave_it_once(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 30))
    assert project.run(stages=("raw",), checks=False).success
    later = ("object", "external", "month", "main")
    names = (project.bucket, project.dataset)
    both = [project, GcpProject(project.folder, project.emulators, names=names)]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(one.run, stages=later, checks=False, lease_seconds=5.0) for one in both]
        outcomes = [run.result() for run in runs]
    for outcome in outcomes:
        assert outcome.success, outcome.error
    merged = [outcome.materialized("bigquery/green_tripdata")["2019-01"]["inserted"] for outcome in outcomes]
    assert sorted(merged) == [0, 30]
    assert project.query("SELECT COUNT(*), COUNT(DISTINCT unique_row_id) FROM green_tripdata") == [(30, 30)]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}


def test_a_lease_is_held_by_one_at_a_time(project: GcpProject):
    bucket = project.storage_client().bucket(project.bucket)
    inside = most = 0
    guard = threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with lease(bucket, "a-month", lasting_seconds=4, wait_seconds=60, log=LOG):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert most == 1
    assert project.object_names() == []


def test_a_living_holder_is_waited_for_however_long_it_takes(project: GcpProject):
    bucket = project.storage_client().bucket(project.bucket)
    with (
        lease(bucket, "a-month", lasting_seconds=0.6, wait_seconds=0, log=LOG),
        pytest.raises(WarehouseBusyError, match="let it end, then run again"),
        lease(bucket, "a-month", lasting_seconds=4, wait_seconds=1.5, log=LOG),
    ):
        pytest.fail("two hold the same name")


def test_a_holder_that_gives_no_sign_of_life_is_not_waited_for(project: GcpProject, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    bucket = project.storage_client().bucket(project.bucket)
    bucket.blob(".taxi_assets/leases/a-month").upload_from_string("whoever was killed")
    with lease(bucket, "a-month", lasting_seconds=0.5, wait_seconds=60, log=LOG):
        assert "counts as dead" in caplog.text
    assert project.object_names() == []
