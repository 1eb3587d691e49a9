"""What Dagster has on record about a taxi's months: which version is loaded, what is being loaded, what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from taxi_assets.assets.attempts import EarlierError, recorded_failure
from taxi_assets.assets.metadata import ORIGIN
from taxi_assets.assets.stages import Stage, raw_key
from taxi_assets.assets.trips import trip_stages
from taxi_assets.dagster_internals import AssetGraph, BulkActionStatus, DagsterDefinitionChangedDeserializationError
from taxi_assets.months import Month
from taxi_assets.partitions import months_partitions
from taxi_assets.source.raw_files import FileVersion
from taxi_assets.taxis import Taxi, chosen_taxis
from taxi_assets.warehouses.kind import WarehouseKind


@dataclass(frozen=True)
class LandedVersion:
    """The raw file that was landed last.

    Attributes:
        origin: Name of the origin that it came from.
        version: Its version there.
        at: When it landed, or was found unchanged, in seconds since 1970.
    """

    origin: str
    version: FileVersion
    at: float


def read_records(
    instance: dg.DagsterInstance, graph: AssetGraph, warehouses: Sequence[WarehouseKind]
) -> Mapping[Taxi, RecordedMonths]:
    """What Dagster has on record about the months of each taxi."""
    return {
        taxi: RecordedMonths(instance, graph, taxi, trip_stages(taxi, warehouses)) for taxi in chosen_taxis().values()
    }


class RecordedMonths:
    """The records about one taxi's months, as they were when they were first asked for."""

    def __init__(self, instance: dg.DagsterInstance, graph: AssetGraph, taxi: Taxi, stages: Sequence[Stage]) -> None:
        """Take the instance, the graph of all assets, and all stages of the taxi."""
        self._instance = instance
        self._graph = graph
        self._raw = raw_key(taxi.table)
        self._stages = stages

    @property
    def assets(self) -> Sequence[dg.AssetKey]:
        """Keys of all assets of the taxi."""
        return [stage.key for stage in self._stages]

    def landed(self, month: Month) -> LandedVersion | None:
        """What was landed last, if anything was."""
        return self._landed.get(str(month))

    def is_loaded(self, month: Month) -> bool:
        """Whether each of the month's assets was materialized after the one that it is made from."""
        latest = [self._latest[stage.key].get(str(month)) for stage in self._stages]
        if None in latest:
            return False
        return all(
            self._latest[stage.key][str(month)] > self._latest[stage.after][str(month)]
            for stage in self._stages
            if stage.after is not None
        )

    def is_in_progress(self, month: Month) -> bool:
        """Whether a run or a backfill that is queued or has started will load the month."""
        return str(month) in self._in_runs or str(month) in self._in_backfills

    def failure(self, month: Month, *, since: float) -> EarlierError | None:
        """What stopped the month since a moment (seconds since 1970); None where nothing is on record.

        Where there are several, one that a retry can't mend comes first.
        """
        failures = [
            failure
            for stage in self._stages
            for record in self._instance.fetch_observations(
                dg.AssetRecordsFilter(stage.key, asset_partitions=[str(month)], after_timestamp=float(since)), limit=1
            ).records
            if record.asset_observation and (failure := recorded_failure(record.asset_observation))
        ]
        return min(failures, key=lambda failure: failure.is_transient, default=None)

    def is_refused(self, month: Month, origin: str, version: FileVersion) -> bool:
        """Whether the month can't be loaded from this version of its file, so that only a new one is worth a run."""
        landed = self.landed(month)
        if landed and landed.origin == origin and landed.version.is_same_as(version):
            failure = self.failure(month, since=landed.at)
            return failure is not None and not failure.is_transient
        failure = self.failure(month, since=0)
        return failure is not None and failure.refused_version == version.digest(origin)

    @cached_property
    def _latest(self) -> Mapping[dg.AssetKey, Mapping[str, int]]:
        """For each asset, the id of each month's latest materialization. Ids grow."""
        return {
            stage.key: self._instance.get_latest_storage_id_by_partition(
                stage.key, dg.DagsterEventType.ASSET_MATERIALIZATION
            )
            for stage in self._stages
        }

    @cached_property
    def _landed(self) -> Mapping[str, LandedVersion]:
        ids = list(self._latest[self._raw].values())
        if not ids:
            return {}
        records = self._instance.fetch_materializations(
            dg.AssetRecordsFilter(self._raw, storage_ids=ids), limit=len(ids)
        ).records
        found = {}
        for record in records:
            materialization = record.asset_materialization
            if materialization is not None and materialization.partition is not None:
                facts: dict[str, Any] = {name: value.value for name, value in materialization.metadata.items()}
                version = FileVersion(facts.get("size (bytes)"), facts.get("etag"), facts.get("last modified"))
                found[materialization.partition] = LandedVersion(
                    str(facts.get(ORIGIN, "")), version, at=record.timestamp
                )
        return found

    @cached_property
    def _in_runs(self) -> Set[str]:
        months = months_partitions()
        in_progress: set[str] = set()
        for stage in self._stages:
            if stage.is_last:
                states = self._instance.get_status_by_partition(stage.key, months.get_partition_keys(), months) or {}
                in_progress |= {key for key, state in states.items() if state == dg.AssetPartitionStatus.IN_PROGRESS}
        return in_progress

    @cached_property
    def _in_backfills(self) -> Set[str]:
        """Months that backfills will load, those without a run yet among them."""
        in_progress: set[str] = set()
        for backfill in self._instance.get_backfills(status=BulkActionStatus.REQUESTED):
            if not backfill.is_asset_backfill:
                in_progress |= set(backfill.partition_names or ())
                continue
            # A backfill over other assets, or over partitions that no longer exist, can't be read and won't load these.
            with suppress(DagsterDefinitionChangedDeserializationError):
                target = backfill.get_asset_backfill_data(self._graph).target_subset
                for stage in self._stages:
                    if stage.is_last and stage.key in target.asset_keys:
                        in_progress |= set(target.get_partitions_subset(stage.key).get_partition_keys())
        return in_progress
