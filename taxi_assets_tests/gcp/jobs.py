"""Runs one of Google Cloud's jobs as Dagster does, and collects what a person would read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from taxi_assets.build import build_definitions
from taxi_assets.warehouses import bigquery, duckdb


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job.

    Attributes:
        success: Whether it succeeded.
        errors: The sentences of its failures.
        metadata: What each op says about its output.
        stored: Everything that the instance keeps of the run, as text.
    """

    success: bool
    errors: list[str]
    metadata: dict[str, dict[str, Any]]
    stored: str


def run_job(name: str, config: Mapping[str, Any] | None = None) -> JobOutcome:
    """Run the job with the settings that the environment has."""
    definitions = build_definitions(warehouses=[duckdb.WAREHOUSE, bigquery.WAREHOUSE])
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(name).execute_in_process(
            run_config={"ops": dict(config or {})}, instance=instance, raise_on_error=False
        )
        stored = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    metadata: dict[str, dict[str, Any]] = {}
    errors = []
    for event in result.all_events:
        if event.is_successful_output:
            output = event.step_output_data
            metadata[event.step_key] = {key: value.value for key, value in output.metadata.items()}
        if event.is_step_failure:
            failure = event.step_failure_data
            metadata_of_failure = failure.user_failure_data.metadata if failure.user_failure_data else {}
            metadata[event.step_key] = {key: value.value for key, value in metadata_of_failure.items()}
            errors.append(failure.user_failure_data.description if failure.user_failure_data else str(failure.error))
    return JobOutcome(result.success, errors, metadata, stored)
