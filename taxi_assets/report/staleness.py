"""Finds the pages that do not contain the newest trips, by Dagster's records of the pages and of the tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_assets.assets.changes import Change, changes, records
from taxi_assets.assets.following import main_tables
from taxi_assets.months import Month
from taxi_assets.warehouses.kind import WarehouseKind

Subject = Month | None
"""What a page is about: a month, or None for all of them."""


@dataclass(frozen=True)
class _Made:
    """When a page was made.

    Attributes:
        record: The record of it; None as long as there is none yet.
        run_id: The run that made it.
        begun: When that run began, in seconds since 1970; None if the run is no longer on record.
    """

    record: int | None
    run_id: str
    begun: float | None

    def contains(self, change: Change) -> bool:
        """Whether the page was made from the trips as they were after the change."""
        is_later = self.record is None or self.record > change.record
        if self.begun is None or self.run_id == change.run_id:
            return is_later
        return self.begun >= change.at


def stale_since(
    instance: dg.DagsterInstance,
    warehouse: WarehouseKind,
    *,
    month_key: dg.AssetKey,
    all_months_key: dg.AssetKey,
    pages: Iterable[Subject],
    written: Collection[Subject],
    run_id: str,
) -> Mapping[Subject, float]:
    """The pages that do not contain the newest trips, with the first change that each is missing.

    Args:
        instance: Where the records are.
        warehouse: The warehouse that the pages are about.
        month_key: The asset of the months' pages.
        all_months_key: The asset of the page over all months.
        pages: The pages that there are.
        written: Those that the current run has written.
        run_id: The current run.

    Returns:
        The moment of the first change that is missing on a page, in seconds since 1970.
    """
    made = {**_made_by_month(instance, month_key), **_made_as_a_whole(instance, all_months_key)}
    made |= dict.fromkeys(written, (None, run_id))
    begun = _begun(instance, {of_run for _, of_run in made.values()})
    changed: dict[Subject, list[Change]] = {None: []}
    for table in main_tables(warehouse):
        for change in changes(instance, table, after=0):
            changed[None].append(change)
            if change.partition:
                changed.setdefault(Month.parse(change.partition), []).append(change)
    found: dict[Subject, float] = {}
    for page in pages:
        record, of_run = made.get(page, (0, ""))
        since = _first_missing(_Made(record, of_run, begun.get(of_run)), changed.get(page, []))
        if since is not None:
            found[page] = since
    return found


def _first_missing(made: _Made, changed: Sequence[Change]) -> float | None:
    return min((change.at for change in changed if not made.contains(change)), default=None)


def _made_by_month(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[Subject, tuple[int | None, str]]:
    ids = instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    wanted = dg.AssetRecordsFilter(key, storage_ids=list(ids.values()))
    return {
        Month.parse(str(record.partition_key)): (record.storage_id, record.run_id)
        for record in (records(instance.fetch_materializations, wanted) if ids else ())
    }


def _made_as_a_whole(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[Subject, tuple[int | None, str]]:
    last = instance.fetch_materializations(key, limit=1).records
    return {None: (last[0].storage_id, last[0].run_id)} if last else {}


def _begun(instance: dg.DagsterInstance, run_ids: Collection[str]) -> Mapping[str, float | None]:
    """When these runs began. One that is no longer on record is missing."""
    found = instance.get_run_records(dg.RunsFilter(run_ids=list(run_ids)))
    return {record.dagster_run.run_id: record.start_time for record in found}
