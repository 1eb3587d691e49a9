"""The stages a month goes through: landed, loaded into a monthly table, merged into the main table.

A stage is one asset for one month: it says what the asset is (``spec``), what doing it means (``run``) and how to
judge the result (``judge`` and ``checks``). Warehouses differ only in the resource that does the work.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from taxi_assets.assets.metadata import column_schema, file_metadata, raw_column_schema, rows_metadata
from taxi_assets.checks import CHECKS, Evidence, MonthCheck
from taxi_assets.months import Month
from taxi_assets.partitions import months_partitions
from taxi_assets.published import published_file
from taxi_assets.source.files import trip_file
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.base import TableRole, TripsWarehouse, Warehouse

OWNERS = ["team:taxi-data"]

Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class Workplace:
    """What a stage works with during a run.

    Attributes:
        source: Where raw files come from and where they land.
        resources: The run's resources, among them each warehouse under its name.
        log: The run's log.
    """

    source: TripSource
    resources: Any
    log: logging.Logger

    def warehouse(self, warehouse: Warehouse) -> TripsWarehouse:
        """The connected warehouse of that kind."""
        resource: TripsWarehouse = getattr(self.resources, warehouse.name)
        return resource


class Stage(ABC):
    """One asset of one taxi, as a step on a month's way."""

    checks: Sequence[MonthCheck] = ()
    merges: bool = False
    after: dg.AssetKey | None = None

    @property
    @abstractmethod
    def spec(self) -> dg.AssetSpec:
        """What the asset is."""

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.spec.key

    def tidy_up(self, month: Month, at: Workplace) -> None:
        """Delete what is no longer needed once the month is merged everywhere, where the settings say so."""

    @abstractmethod
    def run(self, month: Month, at: Workplace) -> Metadata:
        """Do it for one month, and return the metadata of the materialization.

        Raises:
            TaxiAssetsError: It could not be done; nothing is half done.
        """

    def judge(self, month: Month, at: Workplace) -> Evidence:
        """Collect what the checks need to know about one month.

        Raises:
            TaxiAssetsError: It could not be measured.
        """
        raise NotImplementedError(f"{self.key.to_user_string()} has no checks")


@dataclass(frozen=True)
class Landing(Stage):
    """The raw file of a month in the landing zone, verified."""

    taxi: Taxi

    @cached_property
    def spec(self) -> dg.AssetSpec:  # noqa: D102 - described by Stage
        return dg.AssetSpec(
            raw_key(self.taxi.table),
            description=(
                f"{self.taxi.title}: the published file of a month, exactly as it is, verified and kept in the landing "
                "zone. An unchanged file is not fetched again."
            ),
            metadata={
                "dagster/column_schema": raw_column_schema(self.taxi.columns),
                "file": f"{self.taxi.name}/{self.taxi.table}_<month>.csv.gz",
            },
            tags={"taxi": self.taxi.name},
            kinds={"csv", "file"},
            group_name="raw",
            owners=OWNERS,
            code_version="1",
            partitions_def=months_partitions(),
            skippable=True,
        )

    def run(self, month: Month, at: Workplace) -> Metadata:  # noqa: D102 - described by Stage
        return file_metadata(at.source.land(trip_file(self.taxi, month), at.log))

    def tidy_up(self, month: Month, at: Workplace) -> None:  # noqa: D102 - described by Stage
        at.source.landing_zone().purge(trip_file(self.taxi, month))


@dataclass(frozen=True)
class Loading(Stage):
    """The month as a typed table with ids."""

    taxi: Taxi
    warehouse: Warehouse
    checks = CHECKS["month"]

    @property
    def after(self) -> dg.AssetKey:  # type: ignore[override]  # noqa: D102 - described by Stage
        return raw_key(self.taxi.table)

    @cached_property
    def spec(self) -> dg.AssetSpec:  # noqa: D102 - described by Stage
        return _table_spec(
            self.taxi,
            self.warehouse,
            self.taxi.month_asset,
            after=self.after,
            table=f"{self.taxi.table}_<YYYY_MM>",
            description=(
                f"{self.taxi.title}: a month's trips as a typed table with an id for each. Once it is merged, its name "
                "stays as a part or a view of the main table."
            ),
        )

    def run(self, month: Month, at: Workplace) -> Metadata:  # noqa: D102 - described by Stage
        start = time.monotonic()
        landed = at.source.landing_zone().landed(trip_file(self.taxi, month))
        rows = at.warehouse(self.warehouse).load_month(self.taxi, month, landed, at.log)
        return rows_metadata(rows, seconds=time.monotonic() - start, table=self.taxi.month_table(month)) | {
            "file": landed.path.name
        }

    def judge(self, month: Month, at: Workplace) -> Evidence:  # noqa: D102 - described by Stage
        return _evidence(self.taxi, self.warehouse, month, "month", at)


@dataclass(frozen=True)
class Merging(Stage):
    """The month as a slice of the main table."""

    taxi: Taxi
    warehouse: Warehouse
    checks = CHECKS["main"]
    merges = True

    @property
    def after(self) -> dg.AssetKey:  # type: ignore[override]  # noqa: D102 - described by Stage
        return self.warehouse.key(self.taxi.month_asset)

    @cached_property
    def spec(self) -> dg.AssetSpec:  # noqa: D102 - described by Stage
        return _table_spec(
            self.taxi,
            self.warehouse,
            self.taxi.table,
            after=self.after,
            table=self.taxi.table,
            description=(
                f"{self.taxi.title}: the trips of all months. {self.taxi.description} A month's rows are exactly those "
                "of its file; materializing it again changes nothing."
            ),
        )

    def run(self, month: Month, at: Workplace) -> Metadata:  # noqa: D102 - described by Stage
        start = time.monotonic()
        merge = at.warehouse(self.warehouse).merge_month(self.taxi, month, at.log)
        return rows_metadata(merge.rows, seconds=time.monotonic() - start, table=self.taxi.table) | {
            "inserted": merge.inserted,
            "updated": merge.updated,
            "deleted": merge.deleted,
        }

    def judge(self, month: Month, at: Workplace) -> Evidence:  # noqa: D102 - described by Stage
        return _evidence(self.taxi, self.warehouse, month, "main", at)


def raw_key(table: str) -> dg.AssetKey:
    """Key of a raw file's asset."""
    return dg.AssetKey(["raw", table])


def _evidence(taxi: Taxi, warehouse: Warehouse, month: Month, role: TableRole, at: Workplace) -> Evidence:
    return Evidence(
        profile=at.warehouse(warehouse).profile_month(taxi, month, role, at.log),
        # What was verified stays known where the file itself was purged since.
        landed=at.source.landing_zone().known(trip_file(taxi, month)),
        published=published_file(taxi, month),
    )


def _table_spec(
    taxi: Taxi, warehouse: Warehouse, name: str, *, after: dg.AssetKey, table: str, description: str
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
        group_name=warehouse.name,
        owners=OWNERS,
        code_version="1",
        partitions_def=months_partitions(),
        skippable=True,
    ).with_io_manager_key(warehouse.io_manager_key)
