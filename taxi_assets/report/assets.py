"""The report in the asset graph: a page per month and a page over all months, for each warehouse."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import dagster as dg

from taxi_assets.assets.following import follow_as_a_whole, follow_by_month, main_tables
from taxi_assets.assets.origins import sample_months
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_run, months_partitions, runs_of_a_range
from taxi_assets.report.resources import ALL_MONTHS, ReportFolder
from taxi_assets.report.staleness import stale_since
from taxi_assets.taxis import chosen_taxis
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
        automation_condition=follow_by_month(main_tables(warehouse)),
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
            sample = _sample(context.instance, warehouse)
            for month in months:
                try:
                    done[month] = write_report(context.resources, warehouse, month, context.log, sample=sample)
                except TaxiAssetsError as error:
                    failed[month] = error
            if done:
                link_pages(context, warehouse, written=done)
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
        automation_condition=follow_as_a_whole(main_tables(warehouse)),
        kinds={"html", warehouse.name},
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"report_folder", warehouse.name},
    )
    def report_all_months(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with as_dagster_failures():
            sample = _sample(context.instance, warehouse)
            metadata = write_report(context.resources, warehouse, None, context.log, sample=sample)
            link_pages(context, warehouse, written=[None])
        return dg.MaterializeResult(metadata=metadata)

    return report_all_months


def _sample(instance: dg.DagsterInstance, warehouse: WarehouseKind) -> Mapping[str, Set[Month]]:
    return {taxi.name: sample_months(instance, warehouse, taxi).keys() for taxi in chosen_taxis().values()}


def _trips_and_zones(warehouse: WarehouseKind) -> list[dg.AssetKey]:
    return [*main_tables(warehouse), warehouse.key(ZONES_TABLE)]


def write_report(
    resources: Any,
    warehouse: WarehouseKind,
    month: Month | None,
    log: logging.Logger,
    *,
    sample: Mapping[str, Set[Month]],
) -> Mapping[str, Any]:
    """Write the page of a month or of all months, and return the materialization's metadata.

    Args:
        resources: The run's resources.
        warehouse: The warehouse.
        month: The month, or None for all months.
        log: The run's log.
        sample: By the name of a taxi, the months that are the project's own sample.

    Raises:
        WarehouseError: There are no trips, or they can't be read.
        ReportError: The page can't be written.
    """
    # These import matplotlib, which other commands need not wait for.
    from taxi_assets.report.figures import draw  # noqa: PLC0415
    from taxi_assets.report.page import page, sample_in_words  # noqa: PLC0415
    from taxi_assets.report.summary import summarize  # noqa: PLC0415
    from taxi_assets.report.svg import to_markdown  # noqa: PLC0415

    tables: Tables = getattr(resources, warehouse.name)
    folder: ReportFolder = resources.report_folder
    log.info(f"Asking {warehouse.title} for the trips of {month or 'all months'}")
    summary = summarize(tables, warehouse.name, month, sample=sample)
    trips = sum(taxi.total.trips for taxi in summary.taxis)
    log.info(f"Drawing {trips:,} trips")
    plots = draw(summary)
    path = folder.path_of(warehouse, month)
    folder.write(path, page(summary, plots, warehouse=warehouse.title, month=month))
    return {
        "path": dg.MetadataValue.path(str(path)),
        "trips": trips,
        "months": len(summary.months),
        **({"sample": sample_in_words(summary)} if sample_in_words(summary) else {}),
        **{plot.title: dg.MetadataValue.md(to_markdown(plot)) for plot in plots},
    }


def link_pages(
    context: dg.AssetExecutionContext, warehouse: WarehouseKind, *, written: Collection[Month | None]
) -> None:
    """Let every page of a warehouse name all others, and those that do not contain the newest trips.

    Args:
        context: The context of the run.
        warehouse: The warehouse that the pages are about.
        written: The pages that this run has written.

    Raises:
        ReportError: A page can't be written.
    """
    from taxi_assets.report.page import Link, with_links  # noqa: PLC0415 - imports matplotlib

    folder: ReportFolder = context.resources.report_folder
    pages = folder.pages(warehouse)
    month_key, all_months_key = report_key(warehouse, "month"), report_key(warehouse, ALL_MONTHS)
    stale = stale_since(
        context.instance,
        warehouse,
        month_key=month_key,
        all_months_key=all_months_key,
        pages=pages,
        written=written,
        run_id=context.run.run_id,
    )
    links = {
        month: Link(
            month=month,
            file=path.name,
            title=path.stem.replace("_", " "),
            stale_since=f"{datetime.fromtimestamp(stale[month], UTC):%Y-%m-%d %H:%M} UTC" if month in stale else "",
            renewal=(month_key if month else all_months_key).to_user_string() + (f" for {month}" if month else ""),
        )
        for month, path in pages.items()
    }
    for month, path in pages.items():
        relink = partial(
            with_links, link=links[month], pages=list(links.values()), month_report=month_key.to_user_string()
        )
        folder.change(path, relink)
