"""Tasks about whole runs of Dagster: reading what a run recorded, and doing the same work without Dagster."""

from __future__ import annotations

import logging
from typing import Any

import dagster as dg

from benchmarks.tasks.stopwatch import Stopwatch
from taxi_assets.months import parse_month_range
from taxi_assets.source.raw_files import trip_file
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import get_taxi
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse

_log = logging.getLogger(__name__)


def recorded() -> dict[str, Any]:
    """Return what the instance's only run recorded: the seconds of all stages, and the number of merged months."""
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    materializations = [entry.asset_materialization for entry in entries if entry.asset_materialization is not None]
    return {
        "stage_seconds": sum(_number(materialization, "seconds") for materialization in materializations),
        "months": sum("inserted" in materialization.metadata for materialization in materializations),
    }


def direct_calls(source: str, landing: str, database: str, taxis: list[str], months: str) -> dict[str, Any]:
    """Call the same functions for the same months, one after another: land, load, measure, merge, measure."""
    trip_source = TripSource(address=source, landing=landing)
    warehouse = DuckDBWarehouse(database=database)
    seconds = {"land": 0.0, "open and close": 0.0, "load": 0.0, "merge": 0.0, "measure": 0.0}
    for taxi in map(get_taxi, taxis):
        for month in parse_month_range(months):
            with Stopwatch() as landing_watch:
                trip_source.land(trip_file(taxi, month), _log)
            with Stopwatch() as session_watch, warehouse.session(_log):
                with Stopwatch() as load_watch:
                    warehouse.load_month(taxi, month, trip_source.current(trip_file(taxi, month)), _log)
                with Stopwatch() as measure_watch:
                    warehouse.profile_month(taxi, month, "month", _log)
                with Stopwatch() as merge_watch:
                    warehouse.merge_month(taxi, month, _log)
                with Stopwatch() as measure_again_watch:
                    warehouse.profile_month(taxi, month, "main", _log)
            inside = (load_watch, measure_watch, merge_watch, measure_again_watch)
            seconds["open and close"] += session_watch.seconds - sum(watch.seconds for watch in inside)
            seconds["land"] += landing_watch.seconds
            seconds["load"] += load_watch.seconds
            seconds["merge"] += merge_watch.seconds
            seconds["measure"] += measure_watch.seconds + measure_again_watch.seconds
    return {**seconds, "seconds": sum(seconds.values())}


def _number(materialization: dg.AssetMaterialization, name: str) -> float:
    value = materialization.metadata[name].value
    if not isinstance(value, int | float):
        raise TypeError(f"The metadata {name} of {materialization.asset_key} is not a number: {value!r}.")
    return value
