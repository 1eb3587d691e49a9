"""The stages of a month: it is landed, prepared as the warehouse needs it, loaded into a monthly table, and merged.

A stage is one asset of a taxi: ``spec`` defines the asset, and ``run`` materializes it for one month. A stage whose
result is checked also has ``checks``, and ``collect_evidence`` measures what they need. The stages are the same for all
warehouses; only the resource that does the work differs.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg
from typing_extensions import override

from taxi_assets.assets.checks import CHECKS, SAME_IN_ALL_WAREHOUSES, Evidence, MonthCheck
from taxi_assets.assets.metadata import (
    column_schema,
    file_metadata,
    origin_metadata,
    raw_column_schema,
    rows_metadata,
)
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.partitions import months_partitions
from taxi_assets.published import published_month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.raw_files import LandedFile, RawFile
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import Preparation, TableRole, TripsWarehouse, WarehouseKind
from taxi_assets.warehouses.measures import MonthProfile, limits_in_feed

Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class RunContext:
    """The resources and the log that stages use during a run.

    Attributes:
        source: Where raw files come from and where they land.
        resources: The run's resources, including each warehouse under its name.
        log: The run's log.
    """

    source: TripSource
    resources: Any
    log: logging.Logger

    def warehouse(self, kind: WarehouseKind) -> TripsWarehouse:
        """The connected warehouse of that kind."""
        resource: TripsWarehouse = getattr(self.resources, kind.name)
        return resource


@dataclass
class MonthContext:
    """One taxi's month on its way through the stages.

    Attributes:
        taxi: The taxi.
        month: The month.
        run: The resources and the log, which all months of the run share.
        loaded: The file that this run has loaded last, if any.
    """

    taxi: Taxi
    month: Month
    run: RunContext
    loaded: LandedFile | None = field(default=None, init=False)
    _fetched: LandedFile | None = field(default=None, init=False)

    @cached_property
    def file(self) -> RawFile:
        """The source's file of the month."""
        return self.run.source.trip_file(self.taxi, self.month)

    def land(self) -> LandedFile:
        """Land the month's file.

        Raises:
            TaxiAssetsError: See ``TripSource.require_month`` and ``TripSource.land``.
        """
        self.run.source.require_month(self.taxi, self.month)
        self._fetched = self.run.source.land(self.file, self.run.log)
        return self._fetched

    @cached_property
    def current(self) -> CurrentFile:
        """The month's file in the landing zone, which is looked up on this machine whenever a stage reads it."""
        return self.run.source.current(self.file)

    @property
    def noted(self) -> LandedFile | None:
        """What was recorded about the month's file when it landed, even if the file has been purged since.

        If a stage has read the file, it is that of the file which it has read.
        """
        return self.current.last or self._fetched or self._known

    @property
    def origin_metadata(self) -> Metadata:
        """Where the rows come from that this run has loaded; empty if it has loaded none."""
        return origin_metadata(self.loaded.origin) if self.loaded is not None else {}

    @cached_property
    def _known(self) -> LandedFile | None:
        return self.run.source.landing_zone().known(self.file)

    def purge(self) -> None:
        """Delete the month's raw file, unless it has columns that are not in the tables, or is no longer the one."""
        there = self.run.source.landing_zone().known(self.file)
        if self.noted is not None and there is not None and there.sha256 != self.noted.sha256:
            self.run.log.info(f"{self.file.name} is kept, because another one has landed that is not merged yet.")
            return
        if self.noted is not None and self.noted.unknown_columns:
            columns = ", ".join(self.noted.unknown_columns)
            self.run.log.warning(f"{self.file.name} is kept, because some of its columns are not loaded: {columns}.")
            return
        self.run.source.landing_zone().purge(self.file)


class Stage(ABC):
    """One asset of one taxi, as a step on a month's way.

    Attributes:
        spec: The definition of the asset.
        after: Key of the asset that it is made from, if any.
        is_last: Whether it is the last stage in its warehouse.
        warehouse: The warehouse that it works in, if any.
    """

    spec: dg.AssetSpec
    after: dg.AssetKey | None = None
    is_last: bool = False
    warehouse: WarehouseKind | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.spec.key

    @property
    def checks(self) -> Sequence[MonthCheck]:
        """The checks of its asset; none unless it is a ``CheckedStage``."""
        return ()

    @abstractmethod
    def run(self, context: MonthContext) -> Metadata:
        """Materialize the asset for one month, and return the metadata of the materialization.

        Raises:
            TaxiAssetsError: It failed; nothing is left half done.
        """


class CheckedStage(Stage):
    """A stage that creates a table whose content is checked."""

    @property
    @override
    @abstractmethod
    def checks(self) -> Sequence[MonthCheck]: ...

    @abstractmethod
    def collect_evidence(self, context: MonthContext) -> Evidence:
        """Collect the facts that the checks need about one month.

        Raises:
            TaxiAssetsError: The month could not be measured.
        """


class Landing(Stage):
    """The raw file of a month in the landing zone, verified."""

    def __init__(self, taxi: Taxi) -> None:
        self.spec = dg.AssetSpec(
            raw_key(taxi.table),
            description=(
                f"{taxi.title}: a month's raw file, exactly as it was published, verified and kept in the landing "
                "zone. An unchanged file is not fetched again. With the source “sample”, this project makes the month "
                "up."
            ),
            metadata={
                "dagster/column_schema": raw_column_schema(taxi.columns),
                "file": f"{taxi.name}/{taxi.table}_<YYYY-MM>.csv.gz, or .parquet from the feed",
            },
            kinds={"csv", "file"},
            **_of_every_stage(taxi),
        )

    @override
    def run(self, context: MonthContext) -> Metadata:
        return file_metadata(context.land())


class Preparing(Stage):
    """An asset that a warehouse needs before it can load the month."""

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, preparation: Preparation, *, after: dg.AssetKey) -> None:
        self._preparation = preparation
        self._warehouse = self.warehouse = warehouse
        self.after = after
        self.spec = preparation.spec(taxi).replace_attributes(deps=[after], **_of_every_stage(taxi))

    @override
    def run(self, context: MonthContext) -> Metadata:
        warehouse = context.run.warehouse(self._warehouse)
        log = context.run.log
        return context.current.read_by(
            lambda current: self._preparation.run(warehouse, context.taxi, context.month, current, log), log
        )


class Loading(CheckedStage):
    """The month as a typed table with ids."""

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, *, after: dg.AssetKey) -> None:
        self._warehouse = self.warehouse = warehouse
        self.after = after
        self.spec = _table_spec(
            taxi,
            warehouse,
            taxi.month_asset,
            after=after,
            table=f"{taxi.table}_<YYYY_MM>",
            description=(
                f"{taxi.title}: a month's trips as a typed table, with an id for each trip. After the merge, the table "
                "becomes a partition or a view of the main table."
            ),
        )

    @property
    @override
    def checks(self) -> Sequence[MonthCheck]:
        return CHECKS["month"]

    @override
    def run(self, context: MonthContext) -> Metadata:
        taxi, month, log = context.taxi, context.month, context.run.log
        warehouse = context.run.warehouse(self._warehouse)
        context.current.require()
        load = context.current.read_by(lambda current: warehouse.load_month(taxi, month, current, log), log)
        context.loaded = context.current.last
        return {
            "file": context.file.name,
            **context.origin_metadata,
            "dagster/row_count": load.rows,
            "dagster/partition_row_count": load.rows,
            **rows_metadata(load.rows, seconds=load.seconds, table=taxi.month_table(month)),
            **load.facts,
        }

    @override
    def collect_evidence(self, context: MonthContext) -> Evidence:
        return _evidence(context, self._warehouse, "month")


class Merging(CheckedStage):
    """The month as a slice of the main table."""

    is_last = True

    def __init__(self, taxi: Taxi, warehouse: WarehouseKind, compared_with: Sequence[WarehouseKind] = ()) -> None:
        self._compared_with = compared_with
        self._warehouse = self.warehouse = warehouse
        self.after = warehouse.key(taxi.month_asset)
        self.spec = _table_spec(
            taxi,
            warehouse,
            taxi.table,
            after=self.after,
            table=taxi.table,
            description=(
                f"{taxi.title}: the trips of all months. {taxi.description} Materializing a month makes its rows "
                "exactly those of its file. If the file is unchanged, nothing changes."
            ),
        )

    @property
    @override
    def checks(self) -> Sequence[MonthCheck]:
        return [*CHECKS["main"], *([SAME_IN_ALL_WAREHOUSES] if self._compared_with else [])]

    @override
    def run(self, context: MonthContext) -> Metadata:
        warehouse = context.run.warehouse(self._warehouse)
        merge = warehouse.merge_month(context.taxi, context.month, context.run.log)
        return {
            "file": context.file.filename,
            **context.origin_metadata,
            "dagster/row_count": merge.table_rows,
            "dagster/partition_row_count": merge.rows,
            **rows_metadata(merge.rows, seconds=merge.seconds, table=context.taxi.table),
            "inserted": merge.inserted,
            "updated": merge.updated,
            "deleted": merge.deleted,
            **merge.facts,
        }

    @override
    def collect_evidence(self, context: MonthContext) -> Evidence:
        elsewhere = {kind.name: _profile_elsewhere(context, kind) for kind in self._compared_with}
        return _evidence(context, self._warehouse, "main", elsewhere)


def raw_key(table: str) -> dg.AssetKey:
    """Key of a raw file's asset."""
    return dg.AssetKey(["raw", table])


def _evidence(
    context: MonthContext,
    kind: WarehouseKind,
    role: TableRole,
    elsewhere: Mapping[str, MonthProfile | str] | None = None,
) -> Evidence:
    warehouse = context.run.warehouse(kind)
    return Evidence(
        profile=warehouse.profile_month(context.taxi, context.month, role, context.run.log),
        landed=context.noted,
        published=published_month(context.taxi, context.month),
        limits_in_feed=limits_in_feed(context.taxi),
        elsewhere=elsewhere or {},
    )


def _profile_elsewhere(context: MonthContext, kind: WarehouseKind) -> MonthProfile | str:
    try:
        return context.run.warehouse(kind).profile_month(context.taxi, context.month, "main", context.run.log)
    except TaxiAssetsError as error:
        return str(error)


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
        kinds={warehouse.name, "table"},
        **_of_every_stage(taxi),
    ).with_io_manager_key(warehouse.io_manager_key)


def _of_every_stage(taxi: Taxi) -> dict[str, Any]:
    """What the assets of all stages have in common."""
    return {
        "tags": {"taxi": taxi.name},
        "partitions_def": months_partitions(),
        "skippable": True,
    }
