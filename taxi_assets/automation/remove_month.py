"""The job that removes a month from a warehouse."""

from collections.abc import Iterator, Sequence

import dagster as dg

from taxi_assets.assets.changes import REMOVED_ROWS
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import SettingsError
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets.warehouses.kind import TripsWarehouse, WarehouseKind


class MonthToRemove(dg.Config):
    """Which month to remove from which warehouse, and the same once more as confirmation."""

    warehouse: str
    taxi: str
    month: str
    confirm: str


def observed_removal(warehouse: WarehouseKind, taxi: Taxi, month: Month, rows: int) -> Iterator[dg.AssetObservation]:
    """That a month was removed, as observations of its partition of the tables."""
    for table in (taxi.month_asset, taxi.table):
        yield dg.AssetObservation(warehouse.key(table), partition=str(month), metadata={REMOVED_ROWS: rows})


def remove_month_job(warehouses: Sequence[WarehouseKind]) -> dg.JobDefinition:
    """The job that removes a month from a warehouse. Raw files stay, so that the month can be loaded again."""
    by_name = {warehouse.name: warehouse for warehouse in warehouses}

    @dg.op(name="remove", required_resource_keys=set(by_name))
    def remove_month(context: dg.OpExecutionContext, config: MonthToRemove) -> None:
        with as_dagster_failures():
            taxi, month = get_taxi(config.taxi), Month.parse(config.month)
            if config.warehouse not in by_name:
                raise SettingsError(
                    f"There is no warehouse called “{config.warehouse}”: choose from {', '.join(by_name)}."
                )
            wanted = f"{config.warehouse} {taxi.name} {month}"
            if config.confirm != wanted:
                raise SettingsError(
                    f"Nothing was removed, as confirm is “{config.confirm}”: to remove the month, write “{wanted}”."
                )
            target: TripsWarehouse = getattr(context.resources, config.warehouse)
            rows = target.remove_month(taxi, month, context.log)
        for observation in observed_removal(by_name[config.warehouse], taxi, month, rows):
            context.log_event(observation)
        context.log.info(f"Removed {month} of {taxi.table} from {by_name[config.warehouse].title}: {rows:,} rows")

    @dg.job(
        name="remove_month",
        description="Removes one month of one taxi from one warehouse. Its configuration asks for confirmation.",
        executor_def=dg.in_process_executor,
    )
    def remove() -> None:
        remove_month()

    return remove
