"""Reads from Dagster's records which months of a table have changed, and when.

A month has changed if it was loaded for the first time, or with other rows than before, or was removed. A month that
was loaded again without any difference has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

RECORDED_AGAIN: Final = "recorded again"
"""Metadata of a month that an earlier attempt has loaded, and that was not loaded once more."""

REMOVED_ROWS: Final = "removed rows"
"""Metadata of a month that was removed."""

_CHANGED_ROWS: Final = ("inserted", "updated", "deleted")
_RECORDS_AT_ONCE: Final = 200


@dataclass(frozen=True)
class Change:
    """A change of a table.

    Attributes:
        partition: The month; None if the table is without partitions.
        record: Id of the record. Ids grow.
        run_id: The run that made it.
        at: When it was recorded, in seconds since 1970.
    """

    partition: str | None
    record: int
    run_id: str
    at: float


def changes(instance: dg.DagsterInstance, table: dg.AssetKey, *, after: int) -> Iterator[Change]:
    """The changes of a table that are recorded after a record, in the order of their records."""
    found = [
        Change(event.partition, record.storage_id, record.run_id, record.timestamp)
        for fetch in (instance.fetch_materializations, instance.fetch_observations)
        for record in records(fetch, dg.AssetRecordsFilter(table, after_storage_id=after))
        if (event := record.asset_materialization or record.asset_observation) and _is_change(event)
    ]
    return iter(sorted(found, key=lambda change: change.record))


def records(fetch: Callable[..., Any], wanted: dg.AssetRecordsFilter) -> Iterator[dg.EventLogRecord]:
    """All records that a method of the instance fetches, in their order."""
    cursor, has_more = None, True
    while has_more:
        result = fetch(wanted, limit=_RECORDS_AT_ONCE, cursor=cursor, ascending=True)
        yield from result.records
        cursor, has_more = result.cursor, result.has_more


def _is_change(event: dg.AssetMaterialization | dg.AssetObservation) -> bool:
    if isinstance(event, dg.AssetObservation):
        return bool(_number(event.metadata, REMOVED_ROWS))
    if RECORDED_AGAIN in event.metadata:
        return False
    rows = [_number(event.metadata, name) for name in _CHANGED_ROWS]
    # A materialization that does not say what it changed may have changed anything.
    return any(rows) or None in rows


def _number(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> int | None:
    return metadata[name].value if name in metadata else None
