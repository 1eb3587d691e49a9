"""Finds the months of a range that earlier attempts have settled, so that a retry works only on the others.

Dagster runs a step again as a whole: soon after a transient failure, or later when a failed run is re-executed from its
failure. The event log records the outcome of each month, and is read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from taxi_assets.assets.carry_months import MonthReport, Selection
from taxi_assets.assets.stages import Metadata
from taxi_assets.dagster_errors import is_transient
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month

_FAILURE = "failure"
_WORTH_A_RETRY = "worth a retry"
_REFUSED_VERSION = "refused version"


class EarlierError(TaxiAssetsError):
    """The failure of a month in an earlier attempt, with the message that it had then."""

    def __init__(self, sentence: str, *, is_transient: bool, refused_version: str = "") -> None:
        super().__init__(sentence)
        self.is_transient = is_transient
        self.refused_version = refused_version


def observed_failure(key: dg.AssetKey, month: Month, error: Exception) -> dg.AssetObservation:
    """The failure of one month, as an observation of the month's partition."""
    sentence = str(error) if isinstance(error, TaxiAssetsError) else repr(error)
    metadata: dict[str, str | bool] = {_FAILURE: sentence, _WORTH_A_RETRY: is_transient(error)}
    if isinstance(error, TaxiAssetsError) and error.refused_version:
        metadata[_REFUSED_VERSION] = error.refused_version
    return dg.AssetObservation(key, partition=str(month), description=sentence, metadata=metadata)


def recorded_failure(observation: dg.AssetObservation) -> EarlierError | None:
    """The failure that an observation records; None if it records something else."""
    if _FAILURE not in observation.metadata:
        return None
    refused = observation.metadata.get(_REFUSED_VERSION)
    return EarlierError(
        str(observation.metadata[_FAILURE].value),
        is_transient=bool(observation.metadata[_WORTH_A_RETRY].value),
        refused_version=str(refused.value) if refused else "",
    )


def settled_months(context: dg.AssetExecutionContext, selection: Selection) -> dict[Month, MonthReport]:
    """Reports of the months that this attempt can skip.

    These are the months that an earlier attempt of this run, or a failed run that it resumes, has finished, and those
    that failed in an earlier attempt of this run for a reason that is not transient. A month that failed in a resumed
    run is tried again, because its cause may have been removed since.
    """
    reports: dict[Month, MonthReport] = {}
    for run_id in _resumed_runs(context):
        _follow(context.instance, run_id, selection, reports)
    reports = {month: report for month, report in reports.items() if not report.errors}
    if context.retry_number > 0:
        _follow(context.instance, context.run.run_id, selection, reports)
    return {month: report for month, report in reports.items() if _is_settled(report, selection)}


def _is_settled(report: MonthReport, selection: Selection) -> bool:
    if report.errors:
        return not any(is_transient(error) for error in report.errors.values())
    return report.materialized.keys() >= selection.assets


def _resumed_runs(context: dg.AssetExecutionContext) -> Sequence[str]:
    """Ids of the failed runs that this run resumes, the oldest first."""
    ids: list[str] = []
    run: dg.DagsterRun | None = context.run
    while run is not None and run.is_resume_retry and run.parent_run_id:
        ids.insert(0, run.parent_run_id)
        run = context.instance.get_run_by_id(run.parent_run_id)
    return ids


def _follow(instance: dg.DagsterInstance, run_id: str, selection: Selection, reports: dict[Month, MonthReport]) -> None:
    """Update the reports by the events that a run recorded."""
    keys = {stage.key for stage in selection.stages}
    for key, partition, found in _recorded(instance, run_id):
        if key not in keys or partition is None:
            continue
        month = Month.parse(partition)
        report = reports.setdefault(month, MonthReport(month))
        if isinstance(found, EarlierError):
            report.errors[key] = found
        else:
            report.materialized[key] = found
            report.errors.pop(key, None)


def _recorded(
    instance: dg.DagsterInstance, run_id: str
) -> Iterator[tuple[dg.AssetKey, str | None, Metadata | EarlierError]]:
    """The events that a run recorded for each asset and partition: the metadata of a materialization, or a failure."""
    types = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    for record in instance.get_records_for_run(run_id, of_type=types).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            yield made.asset_key, made.partition, made.metadata
        else:
            seen = event.asset_observation_data.asset_observation
            failure = recorded_failure(seen)
            if failure is not None:
                yield seen.asset_key, seen.partition, failure
