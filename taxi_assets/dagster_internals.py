"""What the project imports of Dagster's private modules, and why each is needed.

A new version of Dagster may move or change these without notice. Nothing else imports a private module of Dagster; the
classes in ``deployment/`` also use private attributes of the classes that they extend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import dagster as dg

# The graph that schedules and sensors get from Dagster, by which backfills are read. Only its type is needed.
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

# What dg.define_asset_job returns. Only its type is needed.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# Raised for a backfill over partitions that are no longer there, and for a code server that does not answer.
from dagster._core.errors import DagsterDefinitionChangedDeserializationError, DagsterUserCodeUnreachableError

# The status of a backfill that has not ended: its months are not requested once more.
from dagster._core.execution.backfill import BulkActionStatus

# What a run launcher answers when Dagster asks it about a run.
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

# The tag of a run that a code server has started.
from dagster._core.storage.tags import GRPC_INFO_TAG as CODE_SERVER_TAG

# The question to a code server whether it has a run.
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

# How dagster.yaml reaches a storage class. Only its type is needed.
from dagster._serdes import ConfigurableClassData

# Whether the process has been asked to end, while Dagster holds the signal back.
from dagster._utils.interrupts import check_captured_interrupt

__all__ = [
    "CODE_SERVER_TAG",
    "AssetGraph",
    "BulkActionStatus",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterDefinitionChangedDeserializationError",
    "DagsterUserCodeUnreachableError",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "check_captured_interrupt",
    "code_server_has_run",
    "postgres_options",
]


def code_server_has_run(host: str, port: int, run_id: str) -> bool:
    """Ask a code server whether a run is one of its processes.

    Args:
        host: The code server's host.
        port: Its port.
        run_id: The run.

    Raises:
        DagsterUserCodeUnreachableError: The code server does not answer.
    """
    # It imports gRPC, which would cost every command 30 ms.
    from dagster._grpc.client import DagsterGrpcClient  # noqa: PLC0415

    client = DagsterGrpcClient(host=host, port=port)
    answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id))
    return bool(cast("Any", dg.deserialize_value(answer, CanCancelExecutionResult)).can_cancel)


def postgres_options(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The address and the source of tokens that ``storage`` in dagster.yaml gives to dagster-postgres.

    Its own storage class reads them only for an instance of itself, and not for one of a subclass.
    """
    # dagster-postgres is installed for deployments only.
    from dagster_postgres.utils import get_token_provider_from_config, pg_url_from_config  # noqa: PLC0415

    return {"postgres_url": pg_url_from_config(config), "token_provider": get_token_provider_from_config(config)}
