"""The report in the asset graph: a page per month and a page over all months, for each warehouse."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_run, months_partitions, runs_of_a_range
from taxi_assets.report.resources import ALL_MONTHS, ReportFolder
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses.io_manager import Tables
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.zones import ZONES_TABLE

_KEY_PREFIX: Final = "report"
_CONTENTS: Final = (
    "trips per day, revenue and tips per week, busiest zones, hours by weekday, rows with problems, taxis side by "
    "side, and rows against published counts"
)


def report_assets(warehouses: Sequence[WarehouseKind]) -> Sequence[dg.AssetsDefinition]:
    """A page per month and a page over all months for each warehouse."""
    return [asset for warehouse in warehouses for asset in (_month_report(warehouse), _report_of_all_months(warehouse))]


def report_key(warehouse: WarehouseKind, name: str) -> dg.AssetKey:
    """Key of a warehouse's report."""
    return dg.AssetKey([_KEY_PREFIX, warehouse.name, name])


def _month_report(warehouse: WarehouseKind) -> dg.AssetsDefinition:
    @dg.asset(
        key=report_key(warehouse, "month"),
        description=f"A month's trips in {warehouse.title} as one HTML page and as plots: {_CONTENTS}.",
        partitions_def=months_partitions(),
        deps=_trips_and_zones(warehouse),
        kinds={"html", warehouse.name},
        backfill_policy=runs_of_a_range(),
        required_resource_keys={"report_folder", warehouse.name},
    )
    def report_months(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[Any]]:
        done: dict[Month, Mapping[str, Any]] = {}
        failed: dict[Month, TaxiAssetsError] = {}
        with as_dagster_failures():
            months = months_of_run(context)
            for month in months:
                try:
                    done[month] = write_report(context.resources, warehouse, month, context.log)
                except TaxiAssetsError as error:
                    failed[month] = error
        # A result counts for all months of the run. So if a month failed, each finished month is recorded by itself.
        for month, metadata in done.items():
            if failed:
                yield dg.AssetMaterialization(context.asset_key, partition=str(month), metadata=dict(metadata))
            else:
                context.add_asset_metadata(metadata, partition_key=str(month))
        if failed:
            raise dg.Failure(
                "\n".join(f"{month}: {error}" for month, error in failed.items()),
                allow_retries=any(error.is_transient for error in failed.values()),
            ) from next(iter(failed.values()))
        yield dg.MaterializeResult()

    return report_months


def _report_of_all_months(warehouse: WarehouseKind) -> dg.AssetsDefinition:
    @dg.asset(
        key=report_key(warehouse, ALL_MONTHS),
        description=f"All trips in {warehouse.title} as one HTML page and as plots: {_CONTENTS}.",
        deps=_trips_and_zones(warehouse),
        kinds={"html", warehouse.name},
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"report_folder", warehouse.name},
    )
    def report_all_months(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with as_dagster_failures():
            return dg.MaterializeResult(metadata=write_report(context.resources, warehouse, None, context.log))

    return report_all_months


def _trips_and_zones(warehouse: WarehouseKind) -> list[dg.AssetKey]:
    return [warehouse.key(table) for table in (*(taxi.table for taxi in all_taxis().values()), ZONES_TABLE)]


def write_report(
    resources: Any, warehouse: WarehouseKind, month: Month | None, log: logging.Logger
) -> Mapping[str, Any]:
    """Write the page of a month or of all months, and return the materialization's metadata.

    Raises:
        WarehouseError: There are no trips, or they can't be read.
        ReportError: The page can't be written.
    """
    # These import matplotlib, which other commands need not wait for.
    from taxi_assets.report.figures import draw  # noqa: PLC0415
    from taxi_assets.report.page import page  # noqa: PLC0415
    from taxi_assets.report.summary import summarize  # noqa: PLC0415
    from taxi_assets.report.svg import to_markdown  # noqa: PLC0415

    tables: Tables = getattr(resources, warehouse.name)
    folder: ReportFolder = resources.report_folder
    log.info(f"Asking {warehouse.title} for the trips of {month or 'all months'}")
    summary = summarize(tables, warehouse.name, month)
    trips = sum(taxi.total.trips for taxi in summary.taxis)
    log.info(f"Drawing {trips:,} trips")
    plots = draw(summary)
    path = folder.path_of(warehouse, month)
    text = page(summary, plots, warehouse=warehouse.title, month=month, others=folder.other_pages(path))
    folder.write(path, text)
    return {
        "path": dg.MetadataValue.path(str(path)),
        "trips": trips,
        "months": len(summary.months),
        **{plot.title: dg.MetadataValue.md(to_markdown(plot)) for plot in plots},
    }
