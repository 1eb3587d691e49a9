"""Dagster's default run launcher, which also notices runs whose code server has gone.

The default one never asks whether a run still exists. A code server that ends, with the machine or by Docker, takes its
runs with it. They would count as running for ever, and each would hold the place of another run in the queue.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from typing_extensions import override

from taxi_assets.dagster_internals import (
    CheckRunHealthResult,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
    code_server_has_run,
)


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Starts runs as processes of the code server, and asks it about them.

    For ``dagster api grpc``, which keeps its runs as long as it lives. A run that the server does not know has ended
    without an event; it is reported as failed, so that Dagster starts it again (``run_retries`` in dagster.yaml).
    """

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        return True

    @override
    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        client: Any = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no code server has the run, or it has just ended")
        try:
            has_run = code_server_has_run(client, run.run_id)
        except DagsterUserCodeUnreachableError:
            # It may be busy or starting; Dagster asks again after the next pause.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer", transient=True)
        if has_run:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that ran it has ended")
