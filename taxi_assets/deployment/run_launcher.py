"""Dagster's default run launcher, which also notices runs whose code server has gone.

The default one never asks whether a run still exists. A code server that ends, with the machine or by Docker, takes its
runs with it. They would count as running for ever, and each would hold the place of another run in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from typing_extensions import override

from taxi_assets.dagster_internals import (
    CheckRunHealthResult,
    ConfigurableClassData,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
    code_server_has_run,
)


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Starts runs as processes of the code server, and asks it about them.

    For ``dagster api grpc``, which keeps its runs as long as it lives. A run that the server does not know has ended
    without an event; it is reported as failed, so that Dagster starts it again (``run_retries`` in dagster.yaml).
    """

    def __init__(self, host: str, port: int, inst_data: ConfigurableClassData | None = None) -> None:
        """Take the code server's address.

        Args:
            host: Its host. Runs that were started at another address have ended with the server there.
            port: Its port.
            inst_data: Where the settings come from.
        """
        super().__init__(inst_data)
        self._address = (host, port)

    @classmethod
    @override
    def config_type(cls) -> Mapping[str, Any]:
        return {"host": dg.StringSource, "port": dg.IntSource}

    @classmethod
    @override
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        return True

    @override
    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        try:
            has_run = code_server_has_run(*self._address, run.run_id)
        except DagsterUserCodeUnreachableError:
            # It may be busy or starting; Dagster asks again after the next pause.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer", transient=True)
        if has_run:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that ran it has ended")
