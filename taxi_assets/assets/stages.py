"""The stages a month goes through: landed, prepared as the warehouse needs it, loaded into a monthly table, merged.

A stage is one asset for one month: it says what the asset is (``spec``), what doing it means (``run``) and how to
judge the result (``judge`` and ``checks``). Warehouses differ only in the resource that does the work.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from typing_extensions import override

from taxi_assets.assets.checks import CHECKS, SAME_IN_ALL_WAREHOUSES, Evidence, MonthCheck
from taxi_assets.assets.metadata import column_schema, file_metadata, raw_column_schema, rows_metadata
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.partitions import months_partitions
from taxi_assets.published import published_month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import MonthProfile, Preparation, TableRole, TripsWarehouse, WarehouseKind

Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class RunContext:
    """What a stage works with during a run.

    Attributes:
        source: Where raw files come from and where they land.
        resources: The run's resources, among them each warehouse under its name.
        log: The run's log.
    """

    source: TripSource
    resources: Any
    log: logging.Logger

    def warehouse(self, warehouse: WarehouseKind) -> TripsWarehouse:
        """The connected warehouse of that kind."""
        resource: TripsWarehouse = getattr(self.resources, warehouse.name)
        return resource


class Stage(ABC):
    """One asset of one taxi, as a step on a month's way.

    Attributes:
        spec: What the asset is.
        after: Key of the asset that must be there first, if any.
        checks: What is checked about it.
        is_last: Whether it ends a month's way in its warehouse.
        warehouse: The warehouse that it works in, if any.
    """

    spec: dg.AssetSpec
    after: dg.AssetKey | None = None
    checks: Sequence[MonthCheck] = ()
    is_last: bool = False
    warehouse: WarehouseKind | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.spec.key

    @abstractmethod
    def run(self, month: Month, context: RunContext) -> Metadata:
        """Do it for one month, and return the metadata of the materialization.

        Raises:
            TaxiAssetsError: It could not be done; nothing is half done.
        """

    @abstractmethod
    def judge(self, month: Month, context: RunContext) -> Evidence:
        """Collect what the checks need to know about one month.

        Raises:
            TaxiAssetsError: It could not be measured.
        """


class Landing(Stage):
    """The raw file of a month in the landing zone, verified."""

    def __init__(self, taxi: Taxi) -> None:
        self._taxi = taxi
        self.spec = dg.AssetSpec(
            raw_key(taxi.table),
            description=(
                f"{taxi.title}: the published file of a month, exactly as it is, verified and kept in the landing "
                "zone. An unchanged file is not fetched again."
            ),
            metadata={
                "dagster/column_schema": raw_column_schema(taxi.columns),
                "file": f"{taxi.name}/{taxi.table}_<YYYY-MM>.csv.gz, or .parquet from the feed",
            },
            tags={"taxi": taxi.name},
            kinds={"csv", "file"},
            partitions_def=months_partitions(),
            skippable=True,
        )

    @override
    def run(self, month: Month, context: RunContext) -> Metadata:
        return file_metadata(context.source.land(context.source.trip_file(self._taxi, month), context.log))

    @override
    def judge(self, month: Month, context: RunContext) -> Evidence:
        raise NotImplementedError("a raw file is verified before it lands, and has no checks")


class Preparing(Stage):
    """Something that a warehouse needs of the month before it can load it."""

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, preparation: Preparation, *, after: dg.AssetKey) -> None:
        self._taxi, self._preparation = taxi, preparation
        self._warehouse = self.warehouse = warehouse
        self.after = after
        self.spec = preparation.spec(taxi).replace_attributes(
            deps=[after],
            tags={"taxi": taxi.name},
            partitions_def=months_partitions(),
            skippable=True,
        )

    @override
    def run(self, month: Month, context: RunContext) -> Metadata:
        landed = context.source.landing_zone().landed(context.source.trip_file(self._taxi, month))
        return self._preparation.run(context.warehouse(self._warehouse), self._taxi, month, landed, context.log)

    @override
    def judge(self, month: Month, context: RunContext) -> Evidence:
        raise NotImplementedError("what prepares a month is judged by the monthly table that it leads to")


class Loading(Stage):
    """The month as a typed table with ids."""

    checks = CHECKS["month"]

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, *, after: dg.AssetKey) -> None:
        self._taxi = taxi
        self._warehouse = self.warehouse = warehouse
        self.after = after
        self.spec = _table_spec(
            taxi,
            warehouse,
            taxi.month_asset,
            after=after,
            table=f"{taxi.table}_<YYYY_MM>",
            description=(
                f"{taxi.title}: a month's trips as a typed table with an id for each. Once it is merged, its name "
                "stays as a part or a view of the main table."
            ),
        )

    @override
    def run(self, month: Month, context: RunContext) -> Metadata:
        landed = context.source.landing_zone().landed(context.source.trip_file(self._taxi, month))
        load = context.warehouse(self._warehouse).load_month(self._taxi, month, landed, context.log)
        table = self._taxi.month_table(month)
        return {"file": landed.path.name, **rows_metadata(load.rows, seconds=load.seconds, table=table), **load.facts}

    @override
    def judge(self, month: Month, context: RunContext) -> Evidence:
        return _evidence(self._taxi, self._warehouse, month, "month", context)


class Merging(Stage):
    """The month as a slice of the main table."""

    is_last = True

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, compared_with: Sequence[WarehouseKind] = ()) -> None:
        self._taxi, self._compared_with = taxi, compared_with
        self._warehouse = self.warehouse = warehouse
        self.checks = [*CHECKS["main"], *([SAME_IN_ALL_WAREHOUSES] if compared_with else [])]
        self.after = warehouse.key(taxi.month_asset)
        self.spec = _table_spec(
            taxi,
            warehouse,
            taxi.table,
            after=self.after,
            table=taxi.table,
            description=(
                f"{taxi.title}: the trips of all months. {taxi.description} A month's rows are exactly those of its "
                "file; materializing it again changes nothing."
            ),
        )

    @override
    def run(self, month: Month, context: RunContext) -> Metadata:
        merge = context.warehouse(self._warehouse).merge_month(self._taxi, month, context.log)
        return {
            "file": context.source.trip_file(self._taxi, month).filename,
            **rows_metadata(merge.rows, seconds=merge.seconds, table=self._taxi.table),
            "inserted": merge.inserted,
            "updated": merge.updated,
            "deleted": merge.deleted,
            **merge.facts,
        }

    @override
    def judge(self, month: Month, context: RunContext) -> Evidence:
        elsewhere = {
            warehouse.name: self._profile_elsewhere(warehouse, month, context) for warehouse in self._compared_with
        }
        return replace(_evidence(self._taxi, self._warehouse, month, "main", context), elsewhere=elsewhere)

    def _profile_elsewhere(self, warehouse: WarehouseKind, month: Month, context: RunContext) -> MonthProfile | str:
        try:
            return context.warehouse(warehouse).profile_month(self._taxi, month, "main", context.log)
        except TaxiAssetsError as error:
            return str(error)


def raw_key(table: str) -> dg.AssetKey:
    """Key of a raw file's asset."""
    return dg.AssetKey(["raw", table])


def _evidence(taxi: Taxi, warehouse: WarehouseKind, month: Month, role: TableRole, context: RunContext) -> Evidence:
    return Evidence(
        profile=context.warehouse(warehouse).profile_month(taxi, month, role, context.log),
        # What was verified stays known where the file itself was purged since.
        landed=context.source.landing_zone().known(context.source.trip_file(taxi, month)),
        published=published_month(taxi, month),
    )


def _table_spec(
    taxi: Taxi, warehouse: WarehouseKind, name: str, *, after: dg.AssetKey, table: str, description: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        warehouse.key(name),
        deps=[after],
        description=description,
        metadata={
            "dagster/column_schema": column_schema(taxi, warehouse),
            "dagster/table_name": table,
            "dagster/storage_kind": warehouse.name,
        },
        tags={"taxi": taxi.name},
        kinds={warehouse.name, "table"},
        partitions_def=months_partitions(),
        skippable=True,
    ).with_io_manager_key(warehouse.io_manager_key)
