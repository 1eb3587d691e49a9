"""Loads at the same time: of several months, and of one. (Emulator tests.)"""

from __future__ import annotations

import gzip
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import groupby
from typing import Any

import dagster as dg
import pytest
import requests

from taxi_assets.errors import WarehouseBusyError
from taxi_assets.months import Month
from taxi_assets.source.raw_files import trip_file
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv
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


def test_a_reader_finds_a_whole_month_after_each_request_of_its_loads(
    project: GcpProject, monkeypatch: pytest.MonkeyPatch
):
    """Under both names, while the month is loaded twice before it is merged, and once after."""
    warehouse, source = project.bigquery(), project.trip_source()
    send, seen = requests.Session.send, list[tuple[int, int]]()

    def load(rows: int, *, merge: bool) -> None:
        project.put(made_trips(GREEN, JANUARY, rows))
        source.land(trip_file(GREEN, JANUARY), LOG)
        current = source.current(trip_file(GREEN, JANUARY))
        warehouse.store_object(GREEN, current, LOG)
        warehouse.load_month(GREEN, JANUARY, current, LOG)
        if merge:
            warehouse.merge_month(GREEN, JANUARY, LOG)

    def send_and_look(session: requests.Session, request: requests.PreparedRequest, **settings: Any) -> Any:
        answer = send(session, request, **settings)
        if request.method != "GET":
            with monkeypatch.context() as patch:
                patch.setattr(requests.Session, "send", send)
                (counts,) = project.query(
                    "SELECT (SELECT COUNT(*) FROM green_tripdata_2019_01), (SELECT COUNT(*) FROM green_tripdata)"
                )
            seen.append(counts)
        return answer

    load(5, merge=True)
    monkeypatch.setattr(requests.Session, "send", send_and_look)
    load(6, merge=False)
    load(7, merge=True)
    load(8, merge=True)
    assert [counts for counts, _ in groupby(seen)] == [(5, 5), (6, 5), (7, 5), (7, 7), (8, 7), (8, 8)]


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


@contextmanager
def before_the_type_statement(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """Something happens once, after the object was looked at and before BigQuery reads it."""
    run, left = BigQueryWarehouse._run, [happens]

    def after_it(warehouse: BigQueryWarehouse, client: object, template: str, *arguments: Any, **values: Any) -> Any:
        if template == "create_month_table" and left:
            left.pop()()
        return run(warehouse, client, template, *arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(BigQueryWarehouse, "_run", after_it)
        yield


def test_a_file_and_object_that_are_replaced_while_they_are_loaded_are_loaded_again(
    project: GcpProject, monkeypatch: pytest.MonkeyPatch
):
    project.put(made_trips(GREEN, JANUARY, 30))
    assert project.run(stages=("raw", "object", "external"), checks=False).success
    other = GcpProject(project.folder, project.emulators, names=(project.bucket, project.dataset))

    def replace() -> None:
        project.put(made_trips(GREEN, JANUARY, 40))
        assert other.run(stages=("raw", "object"), checks=False).success

    with before_the_type_statement(monkeypatch, replace):
        outcome = project.run(stages=("month", "main"), checks=False)
    assert outcome.success, outcome.error
    assert "was replaced while it was read: reading it again" in outcome.log
    assert project.query("SELECT COUNT(*) FROM green_tripdata") == [(40,)]


def test_an_object_that_is_replaced_while_it_is_read_is_not_believed(
    project: GcpProject, monkeypatch: pytest.MonkeyPatch
):
    """Even if it is the right one again afterwards."""
    project.retries = dg.RetryPolicy(max_retries=1)
    path = project.put(made_trips(GREEN, JANUARY, 30))
    right = path.read_bytes()
    assert project.run(stages=("raw", "object", "external"), checks=False).success

    def put_twice() -> None:
        for body in (gzip.compress(csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 31)[1:])), right):
            project.storage_client().bucket(project.bucket).blob(GREEN.file_path(JANUARY)).upload_from_string(body)

    with before_the_type_statement(monkeypatch, put_twice):
        outcome = project.run(stages=("month", "main"), checks=False)
    assert outcome.success, "the step is tried again"
    assert "was replaced by another program while it was read: nothing was loaded" in outcome.log
    assert {row["PULocationID"] for row in project.rows("green_tripdata")} >= {1}, "the first of the right file's trips"


def test_an_external_table_over_another_order_of_columns_is_made_anew(project: GcpProject):
    trips = made_trips(GREEN, JANUARY, 5)
    project.put(trips)
    assert project.run(stages=("raw", "object", "external"), checks=False).success
    turned = (*GREEN.header[:8], GREEN.header[9], GREEN.header[8], *GREEN.header[10:])
    put_csv(project.source, GREEN, JANUARY, csv_bytes(turned, trips))
    assert project.run(stages=("raw", "object", "month", "main"), checks=False).success
    found = project.query("SELECT trip_distance, fare_amount FROM green_tripdata ORDER BY fare_amount")
    assert found == [(Decimal(trip["trip_distance"]), Decimal(trip["fare_amount"])) for trip in trips]
