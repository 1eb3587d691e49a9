"""Answers that are lost after the work was done, conflicts and refusals by reason, as the real services give them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from google.api_core.exceptions import RetryError
from google.cloud import bigquery, storage

from taxi_assets.errors import WarehouseBusyError, WarehouseError, WarehouseUnavailableError
from taxi_assets.gcp.admin.teardown import empty_bucket
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.objects import store_file
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.ownership import MADE_BY
from taxi_assets.source.landing_bucket import BucketLandingZone
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.raw_files import trip_file
from taxi_assets.warehouses.bigquery import query
from taxi_assets.warehouses.bigquery.expiration import keep
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import PROJECT, GcpProject
from taxi_assets_tests.gcp.test_landing_bucket import Published
from taxi_assets_tests.gcp.unreliable import Fault, Unreliable, google_error, unreliable
from taxi_assets_tests.project import GREEN, JANUARY
from taxi_assets_tests.source.made_files import FILE

LOG = logging.getLogger(__name__)
CONFLICT = "Could not serialize access to table a.b.c due to concurrent update"


@pytest.fixture
def storage_proxy(project: GcpProject) -> Iterator[Unreliable]:
    """A proxy before Cloud Storage."""
    with unreliable(project.emulators.storage) as proxy:
        yield proxy


@pytest.fixture
def bucket(project: GcpProject, storage_proxy: Unreliable) -> storage.Bucket:
    """The bucket, by way of the proxy."""
    resource = GcsBucket(project=PROJECT, bucket=project.bucket, endpoint=storage_proxy.address)
    return resource.get_client().bucket(project.bucket)


@pytest.fixture
def bigquery_proxy(project: GcpProject) -> Iterator[Unreliable]:
    """A proxy before BigQuery."""
    with unreliable(project.emulators.bigquery) as proxy:
        yield proxy


def test_a_lease_whose_answer_was_lost_is_taken_at_once(
    project: GcpProject, storage_proxy: Unreliable, bucket: storage.Bucket
):
    storage_proxy.faults.append(Fault("POST", "/upload/"))
    with lease(bucket, "a-month", lasting_seconds=60, wait_seconds=0, log=LOG):
        assert project.object_names() == [".taxi_assets/leases/a-month"]
    assert project.object_names() == []


def test_a_renewal_whose_answer_was_lost_keeps_other_writers_out(
    project: GcpProject, storage_proxy: Unreliable, bucket: storage.Bucket, caplog: pytest.LogCaptureFixture
):
    with lease(bucket, "a-month", lasting_seconds=0.9, wait_seconds=0, log=LOG):
        lost = Fault("POST", "/upload/", times=2)
        storage_proxy.faults.append(lost)
        direct = project.storage_client().bucket(project.bucket)
        with (
            pytest.raises(WarehouseBusyError),
            lease(direct, "a-month", lasting_seconds=6, wait_seconds=3, log=LOG),
        ):
            pytest.fail("two hold the same name")
        assert lost.times == 0
    assert "taken over" not in caplog.text
    assert project.object_names() == []


def test_a_lease_is_given_back_whose_last_renewal_was_not_answered(project: GcpProject, bucket: storage.Bucket):
    with lease(bucket, "a-month", lasting_seconds=60, wait_seconds=0, log=LOG):
        blob = bucket.get_blob(".taxi_assets/leases/a-month")
        # As a renewal does that is carried out after its writer has given up waiting for the answer.
        again = bucket.blob(blob.name)
        again.metadata = blob.metadata
        again.upload_from_string(b"", if_generation_match=blob.generation)
    assert project.object_names() == []


def test_whoever_waits_for_a_lease_looks_instead_of_writing(
    project: GcpProject, storage_proxy: Unreliable, bucket: storage.Bucket
):
    direct = project.storage_client().bucket(project.bucket)
    with (
        lease(direct, "a-month", lasting_seconds=60, wait_seconds=0, log=LOG),
        pytest.raises(WarehouseBusyError),
        lease(bucket, "a-month", lasting_seconds=2, wait_seconds=1.5, log=LOG),
    ):
        pytest.fail("two hold the same name")
    assert [method for method, _ in storage_proxy.requests].count("POST") == 1


def test_a_statement_in_conflict_is_run_again_as_a_new_job(project: GcpProject, bigquery_proxy: Unreliable):
    conflict = Fault("GET", "/queries/", is_done=False, error=google_error(400, "invalidQuery", CONFLICT), times=2)
    # A job that can be looked up says that it has succeeded, and is not run again.
    unknown = Fault("GET", "/jobs/", is_done=False, error=google_error(404, "notFound", "Not found: Job"), times=2)
    bigquery_proxy.faults += [conflict, unknown]
    with project.bigquery(endpoint=bigquery_proxy.address).get_client() as client:
        job = query.run_statement(client, "SELECT 1", labels={}, maximum_bytes_billed=None)
        assert [tuple(row.values()) for row in job.result()] == [(1,)]
    assert (conflict.times, unknown.times) == (0, 0)
    assert started(bigquery_proxy) == 3


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("invalidQuery", CONFLICT),
        ("resourcesExceeded", "Resources exceeded during query execution"),
        ("invalidQuery", "Too many DML statements outstanding against table a.b.c, limit is 20"),
        ("jobRateLimitExceeded", "Exceeded rate limits: too many table update operations for this table"),
    ],
)
def test_a_conflict_that_lasts_ends_in_time(project: GcpProject, bigquery_proxy: Unreliable, reason: str, message: str):
    bigquery_proxy.faults.append(
        Fault("GET", "/queries/", is_done=False, error=google_error(400, reason, message), times=10**6)
    )
    start = time.monotonic()
    with project.bigquery(endpoint=bigquery_proxy.address).get_client() as client:

        def job() -> bigquery.QueryJob:
            job = client.query("SELECT 1", job_retry=None)
            job.result(job_retry=None)
            return job

        with pytest.raises(RetryError) as caught:
            query.run_jobs(job, seconds=4)
    assert message in str(caught.value.cause)
    assert started(bigquery_proxy) > 1
    assert time.monotonic() - start < 60


def started(proxy: Unreliable) -> int:
    """How many jobs were started by way of the proxy."""
    return sum(method == "POST" and path.partition("?")[0].endswith("/jobs") for method, path in proxy.requests)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("billingNotEnabled", "link a billing account to the project"),
        ("accessNotConfigured", "enable the API with “gcloud services enable"),
        ("quotaExceeded", "wait until the quota is renewed"),
        ("accessDenied", "grant the account the roles in docs/gcp.md"),
    ],
)
def test_a_refusal_is_explained_by_its_reason(
    project: GcpProject, bigquery_proxy: Unreliable, reason: str, remedy: str
):
    bigquery_proxy.faults.append(Fault("POST", "/jobs", is_done=False, error=google_error(403, reason, "No"), times=9))
    warehouse = project.bigquery(endpoint=bigquery_proxy.address)
    with pytest.raises(WarehouseError, match=remedy), warehouse.connection("ask") as client:
        warehouse.run_sql(client, "SELECT 1")


def test_an_overload_that_is_answered_as_a_refusal_is_temporary(project: GcpProject, storage_proxy: Unreliable):
    storage_proxy.faults.append(
        Fault("GET", "/storage/", is_done=False, error=google_error(403, "rateLimitExceeded", "Slow down"))
    )
    objects = GcsBucket(project=PROJECT, bucket=project.bucket, endpoint=storage_proxy.address)
    warehouse = project.bigquery(objects=objects)
    with pytest.raises(WarehouseUnavailableError, match="just now"), warehouse.connection("ask"):
        objects.get_client().get_bucket(project.bucket)


def test_an_upload_that_arrives_with_other_bytes_is_deleted_and_said(
    project: GcpProject, storage_proxy: Unreliable, bucket: storage.Bucket, tmp_path: Path
):
    path = tmp_path / "month.csv.gz"
    path.write_bytes(bytes(9 * 1024 * 1024))
    storage_proxy.faults.append(Fault("PUT", "/upload/", change=lambda body: b"1" + body[1:]))
    with (
        pytest.raises(WarehouseUnavailableError, match="what arrived has another checksum and was deleted"),
        translated_errors("store it", project.bucket),
    ):
        store_file(bucket, "green/month.csv.gz", path, log=LOG)
    assert project.object_names() == []


STATEMENTS = (
    b"CREATE OR REPLACE EXTERNAL TABLE",
    b"CREATE OR REPLACE TABLE",
    b"COPY `",
    b"CREATE OR REPLACE VIEW",
    b"CREATE TABLE IF NOT EXISTS",
    b"MERGE INTO",
    b"a part of green_tripdata",
    b"DELETE FROM",
)
FAILED = google_error(400, "jobInternalError", "Retry it")


def failed_after_it_was_done(statement: bytes) -> Fault:
    return Fault("GET", "/queries/", error=FAILED, after=statement)


def failed_and_can_not_be_looked_up(statement: bytes) -> Fault:
    return Fault("GET", "/queries/|/jobs/", error=FAILED, after=statement, times=2)


def started_without_an_answer(statement: bytes) -> Fault:
    return Fault("POST", "/jobs", after=statement)


# The emulator fills a table that it creates from a query in a second step, which two jobs at once would do twice.
IN_ONE_STEP = tuple(statement for statement in STATEMENTS if statement != b"CREATE OR REPLACE TABLE")


@pytest.mark.parametrize(
    ("fault_of", "statements", "inserted"),
    [
        (failed_after_it_was_done, STATEMENTS, 9),
        (started_without_an_answer, STATEMENTS, 9),
        (failed_and_can_not_be_looked_up, IN_ONE_STEP, 0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_month_is_there_once_when_each_of_its_jobs_is_done_but_does_not_say_so(
    project: GcpProject,
    bigquery_proxy: Unreliable,
    fault_of: Callable[[bytes], Fault],
    statements: Sequence[bytes],
    inserted: int,
):
    bigquery_proxy.faults.extend(map(fault_of, statements))
    project.put(made_trips(GREEN, JANUARY, 9))
    project.trip_source().land(trip_file(GREEN, JANUARY), LOG)
    current = project.trip_source().current(trip_file(GREEN, JANUARY))
    warehouse = project.bigquery(endpoint=bigquery_proxy.address)
    warehouse.store_object(GREEN, current, LOG)
    warehouse.create_external_table(GREEN, JANUARY, current, LOG)
    assert warehouse.load_month(GREEN, JANUARY, current, LOG).rows == 9
    merged = warehouse.merge_month(GREEN, JANUARY, LOG)
    assert (merged.rows, merged.inserted, merged.updated, merged.deleted) == (9, inserted, 0, 0)
    assert project.query("SELECT COUNT(*), COUNT(DISTINCT unique_row_id) FROM green_tripdata_2019_01") == [(9, 9)]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}
    assert warehouse.remove_month(GREEN, JANUARY, LOG) == 9
    assert project.tables() == {"green_tripdata": "TABLE"}
    assert [fault.times for fault in bigquery_proxy.faults] == [0] * len(statements)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/tables"),
        Fault("PUT", "/upload/"),
        Fault("PUT", "/upload/", error=FAILED),
        failed_after_it_was_done(b"CREATE OR REPLACE TABLE"),
        failed_after_it_was_done(b"MERGE INTO"),
        failed_and_can_not_be_looked_up(b"MERGE INTO"),
        Fault("DELETE", "/tables"),
    ],
    ids=lambda fault: f"{fault.method} {fault.path} {fault.after.decode()} {fault.times}",
)
def test_what_an_asset_returns_is_there_once_although_an_answer_was_lost(
    project: GcpProject, bigquery_proxy: Unreliable, fault: Fault
):
    rows = pa.table({"file_month": [JANUARY.first_day] * 3, "a": [1, 2, 3]})
    direct, warehouse = project.bigquery(), project.bigquery(endpoint=bigquery_proxy.address)
    direct.write("theirs", rows, None, description="Rows.")
    fault = replace(fault)
    bigquery_proxy.faults.append(fault)
    months = [JANUARY] if fault.after == b"MERGE INTO" else None
    assert warehouse.write("theirs", rows, months, description="Rows.") == 3
    assert fault.times == 0
    assert project.query("SELECT a FROM theirs ORDER BY a") == [(1,), (2,), (3,)]
    assert project.tables() == {"theirs": "TABLE"}


def test_an_expiration_is_taken_away_although_the_answer_was_lost(project: GcpProject, bigquery_proxy: Unreliable):
    project.query("CREATE TABLE a (b INT64) OPTIONS (expiration_timestamp = TIMESTAMP '2050-01-01')")
    lost = Fault("PATCH", "/tables/a")
    bigquery_proxy.faults.append(lost)
    with project.bigquery(endpoint=bigquery_proxy.address).get_client() as client:
        keep(client, client.get_table(f"{project.dataset}.a"))
        assert client.get_table(f"{project.dataset}.a").expires is None
    assert lost.times == 0


def test_a_landed_file_is_purged_although_the_answer_was_lost(
    project: GcpProject, storage_proxy: Unreliable, bucket: storage.Bucket
):
    zone = BucketLandingZone(bucket, "landing/", FolderLandingZone(project.landing))
    zone.land(FILE, Published(), LOG)
    lost = Fault("DELETE", "/o/")
    storage_proxy.faults.append(lost)
    assert zone.purge(FILE)
    assert lost.times == 0
    assert project.object_names() == [f"landing/{FILE.path}.json"]


def test_the_bucket_is_deleted_although_the_answer_was_lost(project: GcpProject, storage_proxy: Unreliable):
    client = project.storage_client()
    made = client.get_bucket(project.bucket)
    made.labels = dict(MADE_BY)
    made.patch()
    lost = Fault("DELETE", f"/b/{project.bucket}")
    storage_proxy.faults.append(lost)
    resource = GcsBucket(project=PROJECT, bucket=project.bucket, endpoint=storage_proxy.address)
    assert empty_bucket(resource, LOG, dry_run=False).goes
    assert lost.times == 0
    assert client.lookup_bucket(project.bucket) is None
