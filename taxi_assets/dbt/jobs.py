"""The job that runs any command of dbt: build, run, test, debug, compile, docs generate and so on."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dbt.command import failure_of, running_dbt
from taxi_assets.dbt.translator import ModelTranslator
from taxi_assets.errors import SettingsError
from taxi_assets.months import Month, parse_month_range
from taxi_assets.warehouses.kind import WarehouseKind


class DbtCommand(dg.Config):
    """A command of dbt, where to run it, and for which months.

    Attributes:
        command: The command line after ``dbt``, such as ``build --select fct_trips``.
        warehouse: The warehouse to run it in.
        months: A month or a range of months, such as ``2019-01...2019-03``; empty for all.
    """

    command: str = "build"
    warehouse: str = "duckdb"
    months: str = ""


def dbt_command_job(warehouses: Sequence[WarehouseKind], manifest: Mapping[str, Any] | None) -> dg.JobDefinition:
    """The job, for the warehouses that dbt can work in."""
    by_name = {warehouse.name: warehouse for warehouse in warehouses}

    @dg.op(name="dbt", required_resource_keys=set(by_name), out=dg.Out(dg.Nothing))
    def run_dbt(context: dg.OpExecutionContext, config: DbtCommand) -> Iterator[Any]:
        with as_dagster_failures():
            if config.warehouse not in by_name:
                raise SettingsError(
                    f"There is no warehouse called “{config.warehouse}” for dbt: choose from {', '.join(by_name)}."
                )
            warehouse = by_name[config.warehouse]
            arguments = _arguments(config.command)
            months = parse_month_range(config.months) if config.months.strip() else []
            with running_dbt(
                warehouse,
                getattr(context.resources, warehouse.name),
                arguments,
                months=months,
                manifest=manifest or {},
                translator=ModelTranslator(warehouse),
                context=context,
            ) as invocation:
                for message in invocation.stream_raw_events():
                    if message.raw_event["info"]["level"] != "debug" and str(message).strip():
                        context.log.info(str(message))
                    if manifest:
                        events = message.to_default_asset_events(manifest, ModelTranslator(warehouse), context)
                        yield from _by_month(events, months)
                failure = failure_of(invocation, warehouse, arguments)
            if failure:
                raise failure
        yield dg.Output(None)

    @dg.job(
        name="dbt_command",
        description="Runs a command of dbt (build, run, test, debug, …) in one warehouse, for some months or all.",
        executor_def=dg.in_process_executor,
    )
    def dbt_command() -> None:
        run_dbt()

    return dbt_command


def _arguments(command: str) -> Sequence[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"The dbt command “{command}” can't be read ({error}): close its quotes.") from error
    if arguments[:1] == ["dbt"]:
        arguments = arguments[1:]
    if not arguments or arguments[0].startswith("-"):
        raise SettingsError(f"“{command}” is not a command of dbt: write one such as build, run, test or debug.")
    return arguments


def _by_month(events: Iterator[Any], months: Sequence[Month]) -> Iterator[Any]:
    """Record a model for each month that it was built for.

    A model that was built for all months is recorded as observed, since Dagster warns of a materialization without a
    partition if the asset has partitions.
    """
    for event in events:
        if not isinstance(event, dg.AssetMaterialization):
            yield event
        elif months:
            for month in months:
                yield dg.AssetMaterialization(event.asset_key, partition=str(month), metadata=event.metadata)
        else:
            yield dg.AssetObservation(event.asset_key, metadata=event.metadata)
