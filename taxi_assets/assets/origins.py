"""Reads from Dagster's records which months of a main table are the project's own sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_assets.assets.changes import REMOVED_ROWS, records
from taxi_assets.assets.metadata import ORIGIN
from taxi_assets.months import Month, ranges_in_words
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind


@dataclass(frozen=True)
class _Recorded:
    """The last materialization of a month: its record, the origin that it names, if any, and the month's rows."""

    record: int
    origin: str | None
    rows: int


def sample_months(instance: dg.DagsterInstance, warehouse: WarehouseKind, taxi: Taxi) -> Mapping[Month, int]:
    """The months that were merged last from the sample and not removed since, each with its rows at that time."""
    merged = _latest(instance, warehouse.key(taxi.table))
    loaded = _latest(instance, warehouse.key(taxi.month_asset))
    removed = _removed(instance, warehouse.key(taxi.table))
    return {
        month: found.rows
        for month, found in sorted(merged.items())
        if found.record > removed.get(month, 0)
        and (found.origin or _origin_of_load(found, loaded.get(month))) == SAMPLE_NAME
    }


def sample_in_words(
    instance: dg.DagsterInstance, warehouse: WarehouseKind, taxis: Sequence[Taxi], *, without: Collection[Month] = ()
) -> str:
    """A sentence about the sample months that a warehouse has, and what becomes of them; empty if it has none.

    Args:
        instance: Where the records are.
        warehouse: The warehouse.
        taxis: The taxis to look at.
        without: Months that are not sample months any more, though that is not on record yet.
    """
    found = {taxi.name: sample_months(instance, warehouse, taxi).keys() - {*without} for taxi in taxis}
    named = [f"{taxi} {ranges_in_words(months)}" for taxi, months in found.items() if months]
    if not named:
        return ""
    return (
        f"Months of the sample are in {warehouse.title} ({'; '.join(named)}): each stays until it is loaded from "
        "another source; to remove all that are left, run the job remove_sample_months, or make remove-sample."
    )


def _origin_of_load(merged: _Recorded, loaded: _Recorded | None) -> str | None:
    """The origin of the rows that were merged alone, some time after they were loaded."""
    return loaded.origin if loaded is not None and loaded.record < merged.record else None


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[Month, _Recorded]:
    ids = instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    wanted = dg.AssetRecordsFilter(key, storage_ids=list(ids.values()))
    found = {}
    for record in records(instance.fetch_materializations, wanted) if ids else ():
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            origin, rows = event.metadata.get(ORIGIN), event.metadata.get("dagster/partition_row_count")
            found[Month.parse(event.partition)] = _Recorded(
                record.storage_id, str(origin.value) if origin else None, int(str(rows.value)) if rows else 0
            )
    return found


def _removed(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[Month, int]:
    """The record of each month's last removal."""
    return {
        Month.parse(event.partition): record.storage_id
        for record in records(instance.fetch_observations, dg.AssetRecordsFilter(key))
        if (event := record.asset_observation) and event.partition and REMOVED_ROWS in event.metadata
    }
