"""Runs statements as jobs, with labels and a limit for the bytes that they may bill; returns their cost as metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import dagster as dg
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery import DEFAULT_RETRY
from google.cloud.bigquery.job.query import DmlStats

from taxi_assets.errors import WarehouseError
from taxi_assets.gcp.errors import message_of, reasons_of
from taxi_assets.warehouses.bigquery.unfinished_jobs import end_job

T = TypeVar("T")
_Job = bigquery.QueryJob | bigquery.LoadJob

_TRANSIENT: Final = frozenset(
    {
        "rateLimitExceeded",
        "resourcesExceeded",
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
    }
)
_CONFLICTS: Final = (
    "Could not serialize access",
    "Transaction is aborted due to concurrent update",
    "Too many DML statements outstanding",
)
_REQUEST_SECONDS: Final = 120.0
_JOB_SECONDS: Final = 600.0


def _is_worth_another_job(error: Exception) -> bool:
    """Whether the same statement may succeed as a new job: after an overload, or a conflict with other statements."""
    if not isinstance(error, GoogleAPICallError):
        return False
    return bool(reasons_of(error) & _TRANSIENT) or any(words in message_of(error) for words in _CONFLICTS)


_REQUEST_RETRY: Final = DEFAULT_RETRY.with_timeout(_REQUEST_SECONDS)


def run_jobs(job: Callable[[], T], *, seconds: float = _JOB_SECONDS) -> T:
    """Run a job until it is done, and again as a new job after an overload or a conflict.

    Args:
        job: Starts the job, waits for it and returns its outcome. It must be safe to run it twice.
        seconds: How long all attempts may take together, without the last one.

    Raises:
        google.api_core.exceptions.RetryError: There was no time for another attempt.
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused the job.
    """
    return Retry(predicate=_is_worth_another_job, initial=1.0, maximum=30.0, timeout=seconds)(job)()


def wait_until_done(job: _Job) -> None:
    """Wait until a job is done. Whether it failed is the job's to say: an answer can report an error after a success.

    If the waiting ends before the job does, the job is ended, so that it changes nothing later.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: The job failed.
    """
    try:
        _wait(job)
    except BaseException:
        end_job(job)
        raise


def _wait(job: _Job) -> None:
    try:
        if isinstance(job, bigquery.QueryJob):
            # The library's own job_retry begins a new deadline whenever it asks for the result, so it would never end.
            job.result(retry=_REQUEST_RETRY, job_retry=None)
        else:
            job.result(retry=_REQUEST_RETRY)
    except GoogleAPICallError as error:
        if not (_is_worth_another_job(error) and _has_succeeded(job)):
            raise


def _has_succeeded(job: _Job) -> bool:
    try:
        job.reload(retry=_REQUEST_RETRY)
    except GoogleAPIError:
        return False
    return job.state == "DONE" and job.error_result is None


def run_statement(
    client: bigquery.Client, statement: str, *, labels: Mapping[str, str], maximum_bytes_billed: int | None
) -> bigquery.QueryJob:
    """Run a statement, and wait until it is done. It must be safe to run the statement twice.

    Args:
        client: The client.
        statement: The SQL.
        labels: Labels of the job, by which bills can be split.
        maximum_bytes_billed: Most bytes that it may bill; None for no limit.

    Raises:
        google.api_core.exceptions.RetryError: It was in conflict with other statements for too long.
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused the statement.
    """
    config = bigquery.QueryJobConfig(labels=dict(labels))
    if maximum_bytes_billed:
        config.maximum_bytes_billed = maximum_bytes_billed

    def run() -> bigquery.QueryJob:
        job = client.query(statement, job_config=config, retry=_REQUEST_RETRY, job_retry=None)
        wait_until_done(job)
        return job

    return run_jobs(run)


def changed_rows(job: bigquery.QueryJob) -> DmlStats:
    """How many rows a merge inserted, updated and deleted.

    Raises:
        WarehouseError: BigQuery did not return these numbers.
    """
    if job.dml_stats is None:
        raise WarehouseError(
            f"BigQuery did not return how many rows the job {job.job_id} changed: look at the job in the console."
        )
    return job.dml_stats


def job_facts(job: bigquery.QueryJob, *, is_emulated: bool) -> Mapping[str, Any]:
    """The cost of a job and a link to it, as metadata. For an emulator's job there is no link."""
    facts = {
        "bytes processed": job.total_bytes_processed or 0,
        "bytes billed": job.total_bytes_billed or 0,
        "slot milliseconds": job.slot_millis or 0,
        "job": f"{job.project}:{job.location}.{job.job_id}",
    }
    if is_emulated:
        return {**facts, "emulated": True}
    url = f"https://console.cloud.google.com/bigquery?project={job.project}&j=bq:{job.location}:{job.job_id}&page=queryresults"
    return {**facts, "console": dg.MetadataValue.url(url)}
