"""Dagster's default run launcher, which also notices runs whose code server has gone.

The default one asks nobody whether a run is still there. A code server that is ended, with the machine or by Docker,
takes its runs along, and they would count as running for ever, each in the way of another one in the queue.
"""

from typing import Any, cast

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value
from typing_extensions import override


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs as processes of the code server, and asks it about them.

    For ``dagster api grpc``, which has its runs as long as it lives. What a server does not know any more has ended
    without a word, and is reported as failed, so that Dagster starts it again (``run_retries`` of dagster.yaml).
    """

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        return True

    @override
    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        client: DagsterGrpcClient | None = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the run is not with a code server, or has just ended")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            # It may be busy or starting again; it is asked again after the next pause.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer", transient=True)
        if cast("Any", deserialize_value(answer, CanCancelExecutionResult)).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that ran it was ended meanwhile")
