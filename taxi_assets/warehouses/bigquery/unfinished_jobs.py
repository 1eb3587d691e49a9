"""Ends jobs that nobody waits for any more.

BigQuery goes on with a job, for up to six hours, whatever becomes of the process that has started it. A cancellation is
only a request: the job is over when its state says so, and may have succeeded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from google.api_core.exceptions import Forbidden
from google.cloud import bigquery
from google.cloud.bigquery import DEFAULT_RETRY

from taxi_assets.waiting import InUse, wait_for

_Job = bigquery.QueryJob | bigquery.LoadJob

_SECONDS_FOR_ONE: Final = 10.0
_REQUEST_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 1.0


def end_job(job: _Job) -> None:
    """Cancel a job unless it is done, and wait some seconds until it is.

    A failure is not raised, because what ended the waiting for the job is the error to show.
    """
    deadline = time.monotonic() + _SECONDS_FOR_ONE
    with suppress(Exception):
        while job.state != "DONE" and time.monotonic() < deadline:
            _ask_to_end(job, _SECONDS_FOR_ONE)
            time.sleep(_PAUSE_SECONDS / 4)


def end_jobs(
    client: bigquery.Client,
    dataset: str,
    labels: Mapping[str, str],
    *,
    table: str,
    all_accounts: bool,
    wait_seconds: float,
    log: logging.Logger,
) -> None:
    """Cancel the query jobs with some labels that change a dataset, and wait until they are done.

    Args:
        client: The client.
        dataset: Project and dataset.
        labels: The labels.
        table: What the jobs change, for messages.
        all_accounts: Whether jobs of other accounts are meant, too. Only some roles let an account see them.
        wait_seconds: How long to wait.
        log: The log for messages.

    Raises:
        WarehouseBusyError: A job did not end in time.
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused or failed to list or cancel a job.
    """
    seconds = min(max(wait_seconds, 1.0), _REQUEST_SECONDS)
    listing = _Listing(client, table, log, seconds, all_accounts=all_accounts)
    found: dict[str, bigquery.QueryJob] = {}

    def end() -> None:
        for job in listing.query_jobs():
            if job.job_id not in found and labels.items() <= job.labels.items() and _changes(job.query, dataset):
                found[job.job_id] = job
                log.info(f"Cancelling the job {job.job_id} for {table}, for which no load waits any more")
        left = [job for job in found.values() if job.state != "DONE"]
        for job in left:
            _ask_to_end(job, seconds)
        if left:
            raise InUse(f"the job {left[0].job_id} of a load that has ended")

    wait_for(
        end,
        what=table,
        log=log,
        pause_seconds=_PAUSE_SECONDS,
        timeout_seconds=wait_seconds,
        remedy="wait until it is done, or let its owner or an administrator of BigQuery cancel it",
    )


def _ask_to_end(job: _Job, seconds: float) -> None:
    """Cancel a job, and learn its state. It can be done already, and whoever asks too early asks again."""
    retry = DEFAULT_RETRY.with_timeout(seconds)
    try:
        job.cancel(retry=retry, timeout=seconds)
    except Forbidden:
        # Some may see the jobs of another account but not cancel them.
        job.reload(retry=retry, timeout=seconds)


class _Listing:
    """Lists the query jobs of the client's project that have not ended."""

    def __init__(
        self, client: bigquery.Client, table: str, log: logging.Logger, seconds: float, *, all_accounts: bool
    ) -> None:
        self._client, self._table, self._log, self._seconds = client, table, log, seconds
        self._all_accounts = all_accounts
        self._has_warned = False

    def query_jobs(self) -> Sequence[bigquery.QueryJob]:
        """The jobs that this account may see; a warning says so, once, if there may be others."""
        try:
            jobs = self._jobs()
        except Forbidden:
            self._warn()
            if not self._all_accounts:
                return []
            # An account's own jobs can be listed without any permission.
            self._all_accounts = False
            return self.query_jobs()
        if any(isinstance(job, bigquery.UnknownJob) for job in jobs):
            # Without the permission to see it, a job of another account is listed without its configuration.
            self._warn()
        return [job for job in jobs if isinstance(job, bigquery.QueryJob)]

    def _jobs(self) -> Sequence[object]:
        retry = DEFAULT_RETRY.with_timeout(self._seconds)
        jobs: list[object] = []
        # In this order, a job that begins to run between the two requests is found by the second one.
        for state in ("pending", "running"):
            jobs += self._client.list_jobs(
                state_filter=state, all_users=self._all_accounts, retry=retry, timeout=self._seconds
            )
        return jobs

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            self._log.warning(
                f"This account may not see the jobs of others, so if a load by another account was killed, its job may "
                f"still change {self._table}: grant this account the role BigQuery Resource Viewer on the project if "
                "several accounts load."
            )


def _changes(statement: str | None, dataset: str) -> bool:
    """Whether a statement of ours changes something in a dataset: reading it does no harm, and is not to be ended."""
    lines = (line.strip().upper() for line in (statement or "").splitlines())
    first = next((line for line in lines if line and not line.startswith("--")), "")
    return f"`{dataset}." in (statement or "") and not first.startswith(("SELECT", "WITH"))
