"""The job that removes the sample's months, after other months have been loaded."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from taxi_assets.assets.origins import sample_months
from taxi_assets.assets.stages import raw_key
from taxi_assets.automation.remove_month import observed_removal
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import NothingToRemoveError, OtherRowsError, TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.source.raw_files import trip_file
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.kind import TripsWarehouse, WarehouseKind


def remove_sample_job(warehouses: Sequence[WarehouseKind]) -> dg.JobDefinition:
    """The job that removes all months of the sample from these warehouses and from the landing zone."""

    @dg.op(
        name="remove_sample", out={}, required_resource_keys={"source", *(warehouse.name for warehouse in warehouses)}
    )
    def remove_sample(context: dg.OpExecutionContext) -> Iterator[dg.AssetObservation]:
        with as_dagster_failures():
            failures: list[TaxiAssetsError] = []
            for warehouse in warehouses:
                target: TripsWarehouse = getattr(context.resources, warehouse.name)
                for taxi in all_taxis().values():
                    try:
                        yield from _remove_months(context, warehouse, target, taxi)
                    except TaxiAssetsError as error:
                        # The other warehouses and taxis are not kept from it.
                        context.log.warning(str(error))
                        failures.append(error)
            if failures:
                raise failures[0]
            for taxi in all_taxis().values():
                _remove_files(context.instance, context.resources.source, taxi, context.log)

    @dg.job(
        name="remove_sample_months",
        description=(
            "Removes all months of the sample from the warehouses and from the landing zone, and nothing else. They "
            "can be made again at any time."
        ),
        executor_def=dg.in_process_executor,
    )
    def remove() -> None:
        remove_sample()

    return remove


def _remove_months(
    context: dg.OpExecutionContext, warehouse: WarehouseKind, target: TripsWarehouse, taxi: Taxi
) -> Iterator[dg.AssetObservation]:
    for month, rows in sample_months(context.instance, warehouse, taxi).items():
        try:
            removed = target.remove_month(taxi, month, context.log, rows=rows)
        except OtherRowsError as error:
            # Another Dagster instance may have loaded other rows, of which this one has no record.
            context.log.warning(str(error))
            continue
        except NothingToRemoveError:
            context.log.info(f"{month} of {taxi.table} is not in {warehouse.title} any more")
        else:
            context.log.info(f"Removed {month} of {taxi.table} from {warehouse.title}: {removed:,} rows of the sample")
        yield from observed_removal(warehouse, taxi, month, rows)


def _remove_files(instance: dg.DagsterInstance, source: TripSource, taxi: Taxi, log: logging.Logger) -> None:
    zone = source.landing_zone()
    landed: set[Any] = instance.get_materialized_partitions(raw_key(taxi.table))
    for month in sorted(map(Month.parse, landed)):
        file = trip_file(taxi, month)
        if zone.forget(file, origin=SAMPLE_NAME):
            log.info(f"Removed {file.name} of the sample from the landing zone")
