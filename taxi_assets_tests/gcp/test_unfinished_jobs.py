"""Jobs that go on in BigQuery after their load was killed or interrupted are ended in time. (Emulator tests.)"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from taxi_assets.errors import NothingToRemoveError, WarehouseBusyError
from taxi_assets.months import Month
from taxi_assets.source.raw_files import trip_file
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.bigquery import unfinished_jobs
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets.warehouses.bigquery.query import run_statement, wait_until_done
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.killed import load_until
from taxi_assets_tests.gcp.project import PROJECT, GcpProject
from taxi_assets_tests.gcp.unreliable import Fault, Unreliable, google_error, unreliable
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, processes

LOG = logging.getLogger(__name__)
TAKES_MINUTES = (
    "SELECT COUNT(*) AS `n` FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS `a`, UNNEST(GENERATE_ARRAY(1, 100000)) AS `b` "
    "WHERE MOD(`a` + `b`, 7) = 3"
)
REFUSED = google_error(403, "accessDenied", "Access Denied: no permission")


@pytest.fixture
def proxy(project: GcpProject) -> Iterator[Unreliable]:
    """A proxy before BigQuery."""
    with unreliable(project.emulators.bigquery) as proxy:
        yield proxy


@pytest.fixture
def january(project: GcpProject) -> GcpProject:
    """A project in whose landing zone and bucket January is, with nine trips."""
    project.put(made_trips(GREEN, JANUARY, 9))
    project.trip_source().land(trip_file(GREEN, JANUARY), LOG)
    project.bigquery().store_object(GREEN, project.trip_source().current(trip_file(GREEN, JANUARY)), LOG)
    return project


def quick_to_give_up(project: GcpProject, proxy: Unreliable | None = None) -> BigQueryWarehouse:
    endpoint = proxy.address if proxy else project.emulators.bigquery
    return project.bigquery(endpoint=endpoint, lease_seconds=0.5, lock_wait_seconds=3)


def load_january(project: GcpProject, warehouse: BigQueryWarehouse) -> None:
    loaded = warehouse.load_month(GREEN, JANUARY, project.trip_source().current(trip_file(GREEN, JANUARY)), LOG)
    assert loaded.rows == 9
    assert project.query("SELECT COUNT(*) FROM green_tripdata_2019_01") == [(9,)]


def labels_of(taxi: Taxi, month: Month) -> dict[str, str]:
    return {"made_by": "taxi_assets", "run": "a-run", "taxi": taxi.name, "month": str(month)}


def fills_staging(project: GcpProject) -> str:
    """A statement as that of a load. While it runs, the emulator answers nothing about tables."""
    table = f"{PROJECT}.{project.dataset}.green_tripdata_2019_01_staging"
    return f"-- A comment.\nCREATE OR REPLACE TABLE `{table}` AS {TAKES_MINUTES}"


def deletes_rows(project: GcpProject) -> str:
    """A statement as that of a removal, beside which other statements can run."""
    project.query("CREATE TABLE IF NOT EXISTS a AS SELECT 1 AS b")
    return f"DELETE FROM `{PROJECT}.{project.dataset}.a` WHERE `b` = ({TAKES_MINUTES})"


@contextmanager
def running(project: GcpProject, statement: str, month: Month = JANUARY) -> Iterator[bigquery.QueryJob]:
    """A job that takes minutes, and is ended at the end of the block."""
    config = bigquery.QueryJobConfig(labels=labels_of(GREEN, month))
    with project.client() as client:
        job = client.query(statement, job_config=config, job_retry=None)
        assert job.state == "RUNNING"
        try:
            yield job
        finally:
            job.cancel()
            until(job.done)


def was_cancelled(job: bigquery.QueryJob) -> bool:
    job.reload()
    return job.state == "DONE" and (job.error_result or {}).get("reason") == "stopped"


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def found_running(project: GcpProject) -> list[bigquery.QueryJob]:
    with project.client() as client:
        jobs = client.list_jobs(state_filter="running")
        return [job for job in jobs if f".{project.dataset}." in job.query and TAKES_MINUTES in job.query]


def lease_name(project: GcpProject) -> str:
    return f".taxi_assets/leases/{PROJECT}.{project.dataset}.green_tripdata_2019_01"


def leave_a_lease(project: GcpProject) -> None:
    """As a load does that is killed."""
    project.storage_client().bucket(project.bucket).blob(lease_name(project)).upload_from_string(b"")


def leases(project: GcpProject) -> list[str]:
    return [name for name in project.object_names() if "leases" in name]


def is_listing(request: tuple[str, str]) -> bool:
    method, path = request
    return method == "GET" and path.partition("?")[0].endswith("/jobs")


def load(project: GcpProject) -> None:
    load_january(project, quick_to_give_up(project))


def remove(project: GcpProject) -> None:
    with pytest.raises(NothingToRemoveError):
        quick_to_give_up(project).remove_month(GREEN, JANUARY, LOG)


@pytest.mark.parametrize("work", [load, remove], ids=["load", "remove"])
def test_a_job_of_a_killed_load_is_over_before_the_next_writer_of_the_month_goes_on(
    january: GcpProject, work: Callable[[GcpProject], None], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    with running(january, fills_staging(january)) as job:
        leave_a_lease(january)
        work(january)
        assert was_cancelled(job)
        assert f"Cancelling the job {job.job_id}" in caplog.text
    assert not [name for name in january.tables() if "staging" in name]
    assert leases(january) == []


def slowly(body: bytes) -> bytes:
    """The job that types a month, with a statement that takes minutes."""
    job = json.loads(body)
    job["configuration"]["query"]["query"] += f"\nWHERE ({TAKES_MINUTES}) > 0"
    return json.dumps(job).encode()


def test_the_statement_of_a_load_whose_process_is_killed_is_over_before_the_next_load(
    january: GcpProject, proxy: Unreliable
):
    proxy.faults.append(Fault("POST", "/jobs", change=slowly, after=b"CREATE OR REPLACE TABLE"))
    emulators = replace(january.emulators, bigquery=proxy.address)
    arguments = (january.folder, emulators, (january.bucket, january.dataset), ("NONE", ""))
    child = processes("taxi_assets_tests.gcp.killed").Process(target=load_until, args=arguments)
    child.start()
    until(lambda: bool(found_running(january)))
    child.kill()
    child.join()
    (job,) = found_running(january)
    assert leases(january) == [lease_name(january)]
    load(january)
    with january.client() as client:
        assert was_cancelled(client.get_job(job.job_id))


def test_no_job_is_cancelled_that_another_month_a_reader_or_another_dataset_has(january: GcpProject):
    other = GcpProject(january.folder, january.emulators)
    other.set_up()
    changes = deletes_rows(january)
    reads = f"SELECT COUNT(*) FROM `{PROJECT}.{january.dataset}.a` WHERE `b` = ({TAKES_MINUTES})"
    with (
        running(january, changes, FEBRUARY) as of_another_month,
        running(january, reads) as of_a_reader,
        running(january, deletes_rows(other)) as of_another_dataset,
    ):
        leave_a_lease(january)
        load(january)
        for job in (of_another_month, of_a_reader, of_another_dataset):
            job.reload()
            assert job.state == "RUNNING"


def test_jobs_are_listed_only_if_a_lease_is_taken_over(january: GcpProject, proxy: Unreliable):
    load_january(january, quick_to_give_up(january, proxy))
    assert not any(map(is_listing, proxy.requests))
    leave_a_lease(january)
    load_january(january, quick_to_give_up(january, proxy))
    assert any(map(is_listing, proxy.requests))


def test_whoever_can_not_end_the_job_says_so_and_leaves_it_to_the_next_writer(january: GcpProject, proxy: Unreliable):
    proxy.faults.append(Fault("POST", "/cancel", is_done=False, error=REFUSED, times=10**6))
    with running(january, deletes_rows(january)) as job:
        leave_a_lease(january)
        with pytest.raises(WarehouseBusyError) as caught:
            load_january(january, quick_to_give_up(january, proxy))
        assert f"green_tripdata_2019_01 was in use by the job {job.job_id} of a load that has ended for" in str(
            caught.value
        )
        assert "let its owner or an administrator of BigQuery cancel it, then run again" in str(caught.value)
        assert leases(january) == [lease_name(january)]
        load(january)
        assert was_cancelled(job)
    assert leases(january) == []


@pytest.mark.parametrize(("refused", "is_ended"), [("allUsers=True", True), (r"/jobs\?", False)])
def test_whoever_may_not_list_the_jobs_of_others_is_warned_and_goes_on(
    january: GcpProject, proxy: Unreliable, caplog: pytest.LogCaptureFixture, refused: str, is_ended: bool
):
    proxy.faults.append(Fault("GET", refused, is_done=False, error=REFUSED, times=10**6))
    with running(january, deletes_rows(january)) as job:
        leave_a_lease(january)
        load_january(january, quick_to_give_up(january, proxy))
        assert was_cancelled(job) == is_ended
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "grant this account the role BigQuery Resource Viewer" in warning


def test_a_job_of_another_account_that_is_hidden_is_warned_of(
    january: GcpProject, proxy: Unreliable, caplog: pytest.LogCaptureFixture
):
    hidden = {"jobs": [{"jobReference": {"projectId": PROJECT, "jobId": "theirs"}, "state": "RUNNING"}]}
    proxy.faults.append(Fault("GET", "allUsers=True", answer=hidden, times=10**6))
    leave_a_lease(january)
    load_january(january, quick_to_give_up(january, proxy))
    assert "This account may not see the jobs of others" in caplog.text


def test_a_third_writer_does_not_come_in_before_the_jobs_of_a_dead_one_have_ended(project: GcpProject):
    bucket = project.storage_client().bucket(project.bucket)
    bucket.blob(".taxi_assets/leases/a-month").upload_from_string(b"")
    order: list[str] = []
    is_ending = threading.Event()

    def end() -> None:
        order.append("end")
        is_ending.set()
        time.sleep(2)

    def take(name: str) -> None:
        with lease(bucket, "a-month", lasting_seconds=0.6, wait_seconds=60, log=LOG, after_dead_holder=end):
            order.append(name)

    first = threading.Thread(target=take, args=("first",))
    first.start()
    assert is_ending.wait(60)
    take("second")
    first.join()
    assert order == ["end", "first", "second"]


@contextmanager
def interrupted(when: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C in this thread as soon as something is so."""

    def interrupt() -> None:
        until(when)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.get_ident()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_a_statement_that_is_interrupted_is_cancelled(project: GcpProject, proxy: Unreliable):
    statement = deletes_rows(project)
    jobs: list[bigquery.QueryJob] = []

    def is_waited_for() -> bool:
        jobs[:] = found_running(project)
        return bool(jobs) and any(method == "GET" and jobs[0].job_id in path for method, path in proxy.requests)

    with (
        project.bigquery(endpoint=proxy.address).get_client() as client,
        pytest.raises(KeyboardInterrupt),
        interrupted(is_waited_for),
    ):
        run_statement(client, statement, labels={}, maximum_bytes_billed=None)
    with project.client() as client:
        assert was_cancelled(client.get_job(jobs[0].job_id))


def test_a_load_job_that_is_interrupted_is_cancelled(project: GcpProject, proxy: Unreliable):
    with project.client() as client:
        loaded = client.load_table_from_json([{"a": 1}], f"{PROJECT}.{project.dataset}.a").to_api_repr()
    # As if it were running, and could not be looked up.
    resource = {**loaded, "status": {"state": "RUNNING"}}
    later = google_error(503, "backendError", "Later")
    proxy.faults.append(Fault("GET", "/jobs/", is_done=False, error=later, times=10**6))
    with (
        project.bigquery(endpoint=proxy.address).get_client() as client,
        pytest.raises(KeyboardInterrupt),
        interrupted(lambda: any("/jobs/" in path for _, path in proxy.requests)),
    ):
        wait_until_done(bigquery.LoadJob.from_api_repr(resource, client))
    assert [path.partition("?")[0].endswith("/cancel") for method, path in proxy.requests if method == "POST"] == [True]


@pytest.mark.parametrize(("can_be_cancelled", "left"), [(True, 0), (False, 1)])
def test_a_month_is_free_after_an_interruption_only_if_none_of_its_jobs_goes_on(
    project: GcpProject,
    proxy: Unreliable,
    monkeypatch: pytest.MonkeyPatch,
    *,
    can_be_cancelled: bool,
    left: int,
):
    monkeypatch.setattr(unfinished_jobs, "_SECONDS_FOR_ONE", 1.0)
    monkeypatch.setattr("taxi_assets.warehouses.bigquery.warehouse._PARTING_SECONDS", 1.0)
    if not can_be_cancelled:
        proxy.faults.append(Fault("POST", "/cancel", is_done=False, error=REFUSED, times=10**6))
    warehouse = project.bigquery(endpoint=proxy.address)
    jobs: list[bigquery.QueryJob] = []
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            interrupted(lambda: bool(jobs.extend(found_running(project)) or jobs)),
            warehouse._exclusive_month(GREEN, JANUARY, "load it", LOG) as client,
        ):
            warehouse.run_sql(client, deletes_rows(project), labels=labels_of(GREEN, JANUARY))
        assert len(found_running(project)) == left
        assert len(leases(project)) == left
    finally:
        with project.client() as client, suppress(GoogleAPICallError):
            client.cancel_job(jobs[0].job_id)


def test_a_job_whose_request_failed_is_over_before_the_statement_is_run_again(project: GcpProject, proxy: Unreliable):
    """As after an error of a request that says nothing about the job."""
    for reason in ("resourcesExceeded", "accessDenied"):
        proxy.faults.append(Fault("GET", "/queries/", is_done=False, error=google_error(400, reason, "No")))
    with project.bigquery(endpoint=proxy.address).get_client() as client, pytest.raises(GoogleAPICallError):
        run_statement(client, deletes_rows(project), labels={}, maximum_bytes_billed=None)
    posts = [path.partition("?")[0] for method, path in proxy.requests if method == "POST"]
    assert [path.endswith("/cancel") for path in posts] == [False, True, False, True]
    assert found_running(project) == []


def test_a_load_that_others_took_for_dead_does_not_end_their_jobs(january: GcpProject):
    warehouse = january.bigquery()

    def lose_the_lease() -> None:
        leave_a_lease(january)
        raise KeyboardInterrupt

    with running(january, deletes_rows(january)) as job:
        with pytest.raises(KeyboardInterrupt), warehouse._exclusive_month(GREEN, JANUARY, "load it", LOG):
            lose_the_lease()
        job.reload()
        assert job.state == "RUNNING"
    assert leases(january) == [lease_name(january)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_load_that_fails_drops_the_staging_table_unless_others_took_it_for_dead(
    january: GcpProject, monkeypatch: pytest.MonkeyPatch, *, is_lost: bool
):
    def fail(*_: object) -> None:
        if is_lost:
            leave_a_lease(january)
        raise KeyboardInterrupt

    monkeypatch.setattr(BigQueryWarehouse, "_publish", fail)
    with pytest.raises(KeyboardInterrupt):
        load(january)
    assert ("green_tripdata_2019_01_staging" in january.tables()) == is_lost
