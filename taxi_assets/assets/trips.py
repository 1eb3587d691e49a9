"""The assets of one taxi and their checks: its raw file, and in each warehouse the tables up to the main table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.attempts import observed_failure, settled_months
from taxi_assets.assets.carry_months import MonthReport, Selection, carry_months
from taxi_assets.assets.changes import RECORDED_AGAIN
from taxi_assets.assets.checks import check_spec, results
from taxi_assets.assets.origins import sample_in_words
from taxi_assets.assets.run_tags import tag_run
from taxi_assets.assets.stages import Landing, Loading, Merging, Preparing, RunContext, Stage, raw_key
from taxi_assets.dagster_errors import as_dagster_failures, is_worth_a_retry, retried_later
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month, ranges_in_words
from taxi_assets.partitions import TRIPS_POOL, months_of_run, months_partitions, runs_of_a_range
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind

_SHOWN_FAILURES = 10

Event = (
    dg.MaterializeResult[Any]
    | dg.AssetMaterialization
    | dg.AssetObservation
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
)


def trip_stages(taxi: Taxi, warehouses: Sequence[WarehouseKind]) -> Sequence[Stage]:
    """All stages of a taxi, each after the one that it needs."""
    stages: list[Stage] = [Landing(taxi)]
    for place, warehouse in enumerate(warehouses):
        after = raw_key(taxi.table)
        for preparation in warehouse.preparations:
            stages.append(Preparing(taxi, warehouse, preparation, after=after))
            after = stages[-1].key
        stages.append(Loading(taxi, warehouse, after=after))
        # A month is compared with the warehouses that it was loaded into before.
        stages.append(Merging(taxi, warehouse, compared_with=warehouses[:place]))
    return stages


def trip_assets(taxi: Taxi, warehouses: Sequence[WarehouseKind], retries: dg.RetryPolicy) -> dg.AssetsDefinition:
    """One step with all assets of a taxi; a run may select any of them."""
    stages = trip_stages(taxi, warehouses)
    months = months_partitions()

    @dg.multi_asset(
        name=taxi.table,
        description=f"{taxi.title}: loads each month from the source into the main tables.",
        specs=[stage.spec for stage in stages],
        check_specs=[check_spec(check, stage.key, months) for stage in stages for check in stage.checks],
        can_subset=True,
        partitions_def=months,
        backfill_policy=runs_of_a_range(),
        pool=TRIPS_POOL,
        required_resource_keys={"source", *(warehouse.name for warehouse in warehouses)},
    )
    def carry_through(context: dg.AssetExecutionContext) -> Iterator[Event]:
        selection = Selection(taxi, stages, context.selected_asset_keys, context.selected_asset_check_keys)
        run = RunContext(context.resources.source, context.resources, context.log)
        with retried_later(context, retries), as_dagster_failures():
            months = months_of_run(context)
            tag_run(context, months)
            settled = settled_months(context, selection)
            if settled:
                context.log.info(f"{len(settled)} of {len(months)} months were settled by an earlier attempt")
            left = [month for month in months if month not in settled]
            carried = {r.month: r for r in carry_months(left, selection, run, at_once=settings.months_at_once())}
            yield from _events(context, selection, dict(sorted(carried.items())), settled)
            if run.source.address.strip() != SAMPLE_NAME:
                for warehouse in warehouses:
                    if warehouse.key(taxi.table) in selection.assets:
                        _warn_of_sample(context, warehouse, taxi, loaded=carried)

    return carry_through


def _warn_of_sample(
    context: dg.AssetExecutionContext, warehouse: WarehouseKind, taxi: Taxi, *, loaded: Collection[Month]
) -> None:
    """Say which sample months stand beside the months that a run has loaded from another source."""
    sentence = sample_in_words(context.instance, warehouse, [taxi], without=loaded)
    if sentence:
        context.log.warning(sentence)


def _events(
    context: dg.AssetExecutionContext,
    selection: Selection,
    carried: Mapping[Month, MonthReport],
    settled: Mapping[Month, MonthReport],
) -> Iterator[Event]:
    """Report the outcome of the months to Dagster.

    An asset whose result is yielded counts as materialized for all months of the run. So if a month has failed, no
    result is yielded: each finished month is recorded by itself, and the step fails at the end with all failures.
    (Events passed to ``context.log_event`` are lost if nothing is yielded after them.)
    """
    both = dict(sorted([*carried.items(), *settled.items()]))
    failed = {month: report for month, report in both.items() if report.errors}
    for stage in selection.stages:
        if stage.key not in selection.assets:
            continue
        for month, report in (carried if failed else both).items():
            if stage.key not in report.materialized:
                continue
            metadata = report.materialized[stage.key]
            if month in settled:
                metadata = {**metadata, RECORDED_AGAIN: True}
            if failed:
                yield dg.AssetMaterialization(stage.key, partition=str(month), metadata=metadata)
            else:
                context.add_asset_metadata(metadata, asset_key=stage.key, partition_key=str(month))
        if not failed:
            yield dg.MaterializeResult(asset_key=stage.key)
    yield from _check_events(selection, carried, each=not context.has_partition_key)
    for month, report in carried.items():
        for asset, error in report.errors.items():
            yield observed_failure(asset, month, error)
    if failed:
        raise _failure(failed, months=len(both))


def _check_events(selection: Selection, reports: Mapping[Month, MonthReport], *, each: bool) -> Iterator[Event]:
    for stage in selection.stages:
        for check in stage.checks:
            key = dg.AssetCheckKey(stage.key, check.name)
            verdicts = {month: report.verdicts[key] for month, report in reports.items() if key in report.verdicts}
            if verdicts:
                yield from results(check, stage.key, verdicts, each=each)


def _failure(failed: Mapping[Month, MonthReport], *, months: int) -> dg.Failure:
    """All failures of a run as one. A cause that several months share is stated once."""
    errors = [error for report in failed.values() for error in report.errors.values()]
    sentences = _sentences(failed)
    if months == 1:
        description = "\n".join(sentences)
    else:
        shown = "\n".join(sentences[:_SHOWN_FAILURES])
        more = f"\nand {len(sentences) - _SHOWN_FAILURES} more" if len(sentences) > _SHOWN_FAILURES else ""
        others = "" if len(failed) == months else ", the others are done"
        description = f"{len(failed)} of {months} months failed{others}:\n{shown}{more}"
    failure = dg.Failure(
        description,
        metadata={
            "failed months": ", ".join(map(str, failed)),
            "failures": dg.MetadataValue.md("\n".join(f"- {sentence}" for sentence in sentences)),
        },
        # A transient failure is worth a retry; bad data stays bad.
        allow_retries=any(is_worth_a_retry(error) for error in errors),
    )
    # The causes of our own errors are in the log; of what nobody expected, the trace is all there is.
    failure.__cause__ = next((error for error in errors if not isinstance(error, TaxiAssetsError)), None)
    return failure


def _sentences(failed: Mapping[Month, MonthReport]) -> Sequence[str]:
    """Each failure with its months and its asset, in the order of the first month."""
    months_of: dict[tuple[str, str], list[Month]] = {}
    for month, report in failed.items():
        for key, error in report.errors.items():
            sentence = str(error) if isinstance(error, TaxiAssetsError) else repr(error)
            months_of.setdefault((key.to_user_string(), sentence), []).append(month)
    return [f"{ranges_in_words(months)}, {key}: {sentence}" for (key, sentence), months in months_of.items()]
