"""The jobs that load trips, one for each warehouse and one for all of them, and requests for runs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.following import main_tables
from taxi_assets.assets.run_tags import run_tags
from taxi_assets.automation.records import RecordedMonths
from taxi_assets.dagster_internals import UnresolvedAssetJobDefinition
from taxi_assets.months import Month, month_ranges, title_of_range
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.zones import ZONES_TABLE


@dataclass(frozen=True)
class LoadJobs:
    """The jobs that load trips.

    Attributes:
        each: One for each warehouse.
        refreshing: One for each warehouse that also makes everything that follows the trips.
        everywhere: The one for all warehouses, which the schedule and the sensor start.
    """

    each: Sequence[UnresolvedAssetJobDefinition]
    refreshing: Sequence[UnresolvedAssetJobDefinition]
    everywhere: UnresolvedAssetJobDefinition


def load_jobs(warehouses: Sequence[WarehouseKind]) -> LoadJobs:
    """Jobs over the trips of these warehouses, with everything that they are made from and their checks."""
    return LoadJobs(
        each=[
            _load_job(f"load_{warehouse.name}", [warehouse], f"Loads months of trips into {warehouse.title}.")
            for warehouse in warehouses
        ],
        refreshing=[_refresh_job(warehouse) for warehouse in warehouses],
        everywhere=_load_job(
            "load_all",
            warehouses,
            "Loads months of trips into every configured warehouse "
            f"({', '.join(warehouse.title for warehouse in warehouses)}).",
        ),
    )


def _load_job(name: str, warehouses: Sequence[WarehouseKind], description: str) -> UnresolvedAssetJobDefinition:
    tables = dg.AssetSelection.assets(*main_tables(*warehouses))
    return dg.define_asset_job(name, tables.upstream(), description=description)


def _refresh_job(warehouse: WarehouseKind) -> UnresolvedAssetJobDefinition:
    loaded = dg.AssetSelection.assets(*main_tables(warehouse), warehouse.key(ZONES_TABLE))
    made = loaded.downstream() & dg.AssetSelection.key_prefixes([warehouse.name], ["report", warehouse.name])
    return dg.define_asset_job(
        f"refresh_{warehouse.name}",
        loaded.upstream() | made,
        description=(
            f"Loads months of trips and the zones into {warehouse.title}, and makes everything there that follows from "
            "them: dbt's models and the report's pages."
        ),
    )


@dataclass(frozen=True)
class TaxisRange:
    """A range of months of one or more taxis."""

    taxis: Sequence[Taxi]
    months: Sequence[Month]

    @property
    def title(self) -> str:
        """In words: ``green, yellow 2026-08...2026-09``."""
        return f"{', '.join(taxi.name for taxi in self.taxis)} {title_of_range(self.months)}"


def ranges_by_taxis(months: Mapping[Taxi, Iterable[Month]], longest: int | None = None) -> Sequence[TaxisRange]:
    """The months of each taxi as ranges without gaps; taxis with the same range share it."""
    taxis: dict[tuple[Month, ...], list[Taxi]] = {}
    for taxi, months_of_taxi in months.items():
        for found in month_ranges(months_of_taxi, longest):
            taxis.setdefault(tuple(found), []).append(taxi)
    return [TaxisRange(of, found) for found, of in taxis.items()]


def load_requests(
    source: TripSource,
    records: Mapping[Taxi, RecordedMonths],
    months: Mapping[Taxi, Iterable[Month]],
    run_key: Callable[[TaxisRange], str] | None = None,
) -> Sequence[dg.RunRequest]:
    """Requests for as few runs as load these months: one for each range, and for all taxis that have the same range.

    Args:
        source: Where the months come from, for the runs' tags.
        records: All taxis that the job loads, with their assets.
        months: The months of each taxi.
        run_key: Makes the key of each run. Dagster does not start a second run with the same key.
    """
    return [
        load_request(
            source,
            each.taxis,
            each.months,
            assets=None
            if len(each.taxis) == len(records)
            else [k for taxi in each.taxis for k in records[taxi].assets],
            run_key=run_key(each) if run_key else None,
        )
        for each in ranges_by_taxis(months, settings.months_per_run())
    ]


def load_request(
    source: TripSource,
    taxis: Sequence[Taxi],
    months: Sequence[Month],
    *,
    assets: Sequence[dg.AssetKey] | None = None,
    run_key: str | None = None,
) -> dg.RunRequest:
    """A request for one run that loads a range of months.

    Args:
        source: Where the months come from, for the run's tags.
        taxis: The taxis whose months are loaded, for the run's tags.
        months: The months, without a gap.
        assets: The assets of the job to load; all of them unless given.
        run_key: Dagster does not start a second run with the same key.
    """
    tags = dict(run_tags(source, taxis, months))
    if len(months) == 1:
        return dg.RunRequest(run_key, partition_key=str(months[0]), tags=tags, asset_selection=assets)
    tags["dagster/asset_partition_range_start"] = str(months[0])
    tags["dagster/asset_partition_range_end"] = str(months[-1])
    return dg.RunRequest(run_key, tags=tags, asset_selection=assets)
