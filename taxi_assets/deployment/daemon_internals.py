"""What the daemon imports of Dagster's private modules, and why each is needed.

Apart from ``taxi_assets/dagster_internals.py``, because only the daemon's process should take the time to import it.
"""

# The daemons that Dagster starts for an instance, and the loop that watches them.
# How Dagster starts a lost run again, and how it gives one up.
# A code server that is not there, as a failed call and as a code location that is not loaded.
from dagster._core.errors import DagsterCodeLocationLoadError, DagsterUserCodeUnreachableError

# What is passed to a daemon. Only its type is needed.
from dagster._core.workspace.context import IWorkspaceProcessContext

# A workspace file, as the daemon's command gives it to Dagster.
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import (
    consume_new_runs_for_automatic_reexecution,
    filter_runs_to_should_retry,
    retry_run,
)
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import create_daemons_from_instance, daemon_controller_from_instance
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, MonitoringDaemon

# SIGTERM as Ctrl-C, and both held back until the daemons can end.
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

__all__ = [
    "DaemonIterator",
    "DagsterCodeLocationLoadError",
    "DagsterDaemon",
    "DagsterUserCodeUnreachableError",
    "EventLogConsumerDaemon",
    "IWorkspaceProcessContext",
    "MonitoringDaemon",
    "WorkspaceFileTarget",
    "capture_interrupts",
    "consume_new_runs_for_automatic_reexecution",
    "create_daemons_from_instance",
    "daemon_controller_from_instance",
    "filter_runs_to_should_retry",
    "retry_run",
    "setup_interrupt_handlers",
]
