"""Conditions under which what is made from the tables is made again: for exactly the months that have changed.

Dagster's own ``eager`` takes every materialization for a change, looks at the newest month only, and loses a change
that happens while the asset is being made. So ``ChangedSince`` compares the records of a table with those of the asset;
what it is combined with are Dagster's own conditions.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import dagster as dg
from typing_extensions import override

from taxi_assets.assets.changes import Change, changes, records
from taxi_assets.taxis import chosen_taxis
from taxi_assets.warehouses.kind import WarehouseKind

Condition = dg.AutomationCondition[dg.AssetKey]
_IN_PROGRESS: Final = cast("Condition", dg.AutomationCondition.in_progress())

_BLOCKED: Final = dg.AutomationCondition.any_checks_match(
    dg.AutomationCondition.check_failed(), blocking_only=True
).with_label("a blocking check has failed")


def main_tables(*warehouses: WarehouseKind) -> Sequence[dg.AssetKey]:
    """The main tables of all taxis in these warehouses."""
    return [warehouse.key(taxi.table) for warehouse in warehouses for taxi in chosen_taxis().values()]


def follow_by_month(
    tables: Sequence[dg.AssetKey], *, all_needed: bool = False, after: Iterable[dg.AssetKey] = ()
) -> Condition:
    """An asset that is kept by month is made again for the months in which a table has changed since.

    A month is left out while one of its tables is being loaded, while the asset itself is being made, and as long as a
    blocking check of the month has failed.

    Args:
        tables: The tables that the asset is made from, directly or not.
        all_needed: Whether the asset can be made only if each of the tables exists.
        after: Assets without partitions that must be there before.
    """
    condition = follow_as_a_whole(tables, all_needed=all_needed, after=after)
    return condition & ~_any(_matches(table, _BLOCKED) for table in tables)


def follow_as_a_whole(
    tables: Sequence[dg.AssetKey], *, all_needed: bool = False, after: Iterable[dg.AssetKey] = ()
) -> Condition:
    """An asset without partitions is made again when a table has changed since, in any month without a failed check.

    It waits until none of the tables is being loaded.

    Args:
        tables: The tables that the asset is made from, directly or not.
        all_needed: Whether the asset can be made only if each of the tables exists.
        after: Other assets without partitions that must be there before.
    """
    changed = _any(_matches(table, ChangedSince() & ~_BLOCKED) for table in tables)
    in_progress = _any(_matches(table, _IN_PROGRESS) for table in tables)
    ready = (_matches(key, Exists() & ~_IN_PROGRESS) for key in after)
    needed = (_matches(table, Exists()) for table in tables if all_needed)
    return reduce(and_, (*ready, *needed), changed & ~in_progress & ~_IN_PROGRESS)


def make_once(tables: Sequence[dg.AssetKey]) -> Condition:
    """An asset without partitions is made once, as soon as one of the tables exists. If it fails, it is left alone."""
    due = dg.AutomationCondition.missing() & _any(_matches(table, Exists()) for table in tables)
    return due.newly_true() & ~dg.AutomationCondition.execution_failed() & ~_IN_PROGRESS


def _matches(key: dg.AssetKey, condition: Condition) -> Condition:
    return cast("Condition", dg.AutomationCondition.asset_matches(key, condition))


def _any(conditions: Iterable[Condition]) -> Condition:
    return reduce(or_, conditions)


class Exists(dg.AutomationCondition[dg.AssetKey]):
    """The table has been materialized, for any of its months."""

    @property
    @override
    def name(self) -> str:
        return "exists"

    @override
    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        instance = context.asset_graph_view.instance
        exists = instance.get_latest_materialization_event(context.key) is not None
        return dg.AutomationResult(context, context.candidate_subset if exists else context.get_empty_subset())


@dataclass
class _Seen:
    """What the condition keeps from one evaluation to the next.

    Attributes:
        record: The last record that was read. Records before it are read once more, since one of them may have become
            visible later.
        changed: The last change of each month that the asset does not contain: the record and its run.
        requested: The last change of each month that the asset was requested for.
    """

    record: int = 0
    changed: dict[str, tuple[int, str]] = field(default_factory=dict)
    requested: dict[str, int] = field(default_factory=dict)


_read: WeakKeyDictionary[Any, dict[tuple[dg.AssetKey, int], Sequence[Change]]] = WeakKeyDictionary()
"""What was read in a tick, by the tick's view of the assets, for all assets that follow the same table."""


class ChangedSince(dg.AutomationCondition[dg.AssetKey]):
    """The months in which a table has changed since the asset under evaluation was made or requested.

    It is evaluated for the table. The asset contains a change if it was made by the same run later, or by a run that
    was created later, whatever became of that run: a month that failed is requested again only after another change.
    """

    OVERLAP: Final = 1000
    """How many records before the last one are read once more."""

    @property
    @override
    def name(self) -> str:
        return "changed since"

    @override
    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        asset, instance = context.root_context.key, context.asset_graph_view.instance
        seen = _Seen(**json.loads(context.cursor)) if context.cursor else _Seen()
        self._note_requests(context, asset, seen)
        for change in self._changes(context, after=max(seen.record - self.OVERLAP, 0)):
            month = change.partition or ""
            if change.record > max(seen.requested.get(month, 0), seen.changed.get(month, (0, ""))[0]):
                seen.changed[month] = (change.record, change.run_id)
            seen.record = max(seen.record, change.record)
        if seen.changed:
            for month in _contained(instance, asset, seen, by_month=_is_partitioned(context, asset)):
                del seen.changed[month]
        seen.requested = {m: record for m, record in seen.requested.items() if record > seen.record - self.OVERLAP}
        return dg.AutomationResult(context, _subset(context, seen.changed), cursor=json.dumps(vars(seen)))

    def _changes(self, context: dg.AutomationContext[dg.AssetKey], *, after: int) -> Sequence[Change]:
        view = context.asset_graph_view
        read = _read.setdefault(view, {})
        if (context.key, after) not in read:
            read[context.key, after] = list(changes(view.instance, context.key, after=after))
        return read[context.key, after]

    @staticmethod
    def _note_requests(context: dg.AutomationContext[dg.AssetKey], asset: dg.AssetKey, seen: _Seen) -> None:
        """Take what the last tick has requested out of the changes that it knew."""
        requested = context.root_context.get_previous_requested_subset(asset)
        if requested is None or requested.is_empty:
            return
        months = requested.expensively_compute_partition_keys() if requested.is_partitioned else seen.changed.keys()
        for month in set(months) & seen.changed.keys():
            seen.requested[month], _ = seen.changed.pop(month)


def _is_partitioned(context: dg.AutomationContext[dg.AssetKey], key: dg.AssetKey) -> bool:
    return bool(context.asset_graph.get(key).is_partitioned)


def _subset(context: dg.AutomationContext[dg.AssetKey], changed: Iterable[str]) -> Any:
    if context.partitions_def is None:
        return context.candidate_subset if set(changed) else context.get_empty_subset()
    # With another source, a month may no longer be a partition.
    months = {month for month in changed if context.partitions_def.has_partition_key(month)}
    return context.candidate_subset.compute_intersection_with_partition_keys(months)


def _contained(instance: dg.DagsterInstance, asset: dg.AssetKey, seen: _Seen, *, by_month: bool) -> Sequence[str]:
    """The months whose last change the asset contains, or was to contain."""
    begun, made = (_newest_by_month if by_month else _newest)(instance, asset, seen.changed)
    return [
        month
        for month, (record, run_id) in seen.changed.items()
        if begun.get(month, 0) > record or (made.get(month, (0, ""))[0] > record and made[month][1] == run_id)
    ]


Begun = Mapping[str, int]
Made = Mapping[str, tuple[int, str]]


def _newest_by_month(instance: dg.DagsterInstance, asset: dg.AssetKey, months: Collection[str]) -> tuple[Begun, Made]:
    """For each month, the record of the last run that was to make it, and that of its last materialization."""
    begun, made = (
        instance.get_latest_storage_id_by_partition(asset, event_type, set(months))
        for event_type in (
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
            dg.DagsterEventType.ASSET_MATERIALIZATION,
        )
    )
    return begun, {
        str(record.partition_key): (record.storage_id, record.run_id)
        for record in records(
            instance.fetch_materializations, dg.AssetRecordsFilter(asset, storage_ids=list(made.values()))
        )
    }


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey, months: Collection[str]) -> tuple[Begun, Made]:
    """The same for an asset without partitions, which contains all months."""
    planned = instance.event_log_storage.get_latest_planned_materialization_info(asset)
    last = instance.fetch_materializations(asset, limit=1).records
    return (
        dict.fromkeys(months, planned.storage_id) if planned else {},
        dict.fromkeys(months, (last[0].storage_id, last[0].run_id)) if last else {},
    )
