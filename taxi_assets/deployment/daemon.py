"""Dagster's daemon for the services of docker-compose.yml, whatever is stopped and started beside it.

``python -m taxi_assets.deployment.daemon --workspace deploy/workspace.yaml`` is ``dagster-daemon run``, except that

- a run whose code server ended while the run was starting is found soon, and not only after ``start_timeout_seconds``;
- a lost run is started again as soon as there is a code server, where Dagster gives it up if there is none just then;
- its reports to the health check begin anew, so that those of an earlier process don't count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from logging import Logger
from typing import Any, Final

import dagster as dg
from typing_extensions import override

from taxi_assets.dagster_internals import DagsterUserCodeUnreachableError, WorkerStatus
from taxi_assets.deployment.daemon_internals import (
    DaemonIterator,
    DagsterCodeLocationLoadError,
    DagsterDaemon,
    EventLogConsumerDaemon,
    IWorkspaceProcessContext,
    MonitoringDaemon,
    WorkspaceFileTarget,
    capture_interrupts,
    consume_new_runs_for_automatic_reexecution,
    create_daemons_from_instance,
    daemon_controller_from_instance,
    filter_runs_to_should_retry,
    retry_run,
    setup_interrupt_handlers,
)

# The code server knows a run from the moment in which it is told to start it.
_SECONDS_TO_REACH_THE_CODE_SERVER: Final = 30.0
_PAUSE_SECONDS: Final = 1.0


class StartsAreMonitored(MonitoringDaemon):
    """Looks for lost runs among those that are starting, too."""

    @override
    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext[Any]) -> DaemonIterator:
        yield from super().run_iteration(workspace_process_context)
        instance = workspace_process_context.instance
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])):
            yield None
            launched = instance.get_run_stats(run.run_id).launch_time
            if launched is None or time.time() - launched < _SECONDS_TO_REACH_THE_CODE_SERVER:
                continue
            health = instance.run_launcher.check_run_worker_health(run)
            now = instance.get_run_by_id(run.run_id)
            if health.status == WorkerStatus.NOT_FOUND and now and now.status == dg.DagsterRunStatus.STARTING:
                instance.report_run_failed(run, "The code server ended while it was starting this run.")


class RetriesWaitForTheCode(EventLogConsumerDaemon):
    """Starts lost runs again as soon as the code location is there."""

    @property
    @override
    def handle_updated_runs_fns(self) -> Sequence[Any]:
        return [_retry_lost_runs]


def _retry_lost_runs(
    context: IWorkspaceProcessContext[Any], records: Sequence[dg.RunRecord], logger: Logger
) -> Iterator[None]:
    of_run = {record.dagster_run.run_id: record for record in records}
    for run in filter_runs_to_should_retry([record.dagster_run for record in records], context.instance):
        while True:
            yield
            try:
                # If the run has been created, but not queued, this queues it.
                retry_run(run, context)
                break
            except (DagsterUserCodeUnreachableError, DagsterCodeLocationLoadError):
                time.sleep(_PAUSE_SECONDS)
            except Exception:
                # It tries once more, and then records on the run why it is not started again.
                yield from consume_new_runs_for_automatic_reexecution(context, [of_run[run.run_id]], logger)
                break


def _daemons(instance: dg.DagsterInstance) -> Iterator[DagsterDaemon[Any]]:
    """The daemons that Dagster would start, two of them as defined here."""
    for daemon in create_daemons_from_instance(instance):
        if isinstance(daemon, MonitoringDaemon):
            yield StartsAreMonitored(daemon.interval_seconds)
        elif isinstance(daemon, EventLogConsumerDaemon):
            yield RetriesWaitForTheCode()
        else:
            yield daemon


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the daemons until the process is told to end."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.deployment.daemon", description=__doc__)
    parser.add_argument("--workspace", required=True, help="the file that says where the code server is")
    workspace = WorkspaceFileTarget([parser.parse_args(arguments).workspace])
    setup_interrupt_handlers()
    try:
        with capture_interrupts(), dg.DagsterInstance.get() as instance:
            instance.wipe_daemon_heartbeats()
            with daemon_controller_from_instance(instance, workspace, gen_daemons=_daemons) as controller:
                controller.check_daemon_loop()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
