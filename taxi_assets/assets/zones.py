"""The taxi zones: their raw file, and a table of them in each warehouse."""

import time
from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_assets.assets.following import Condition, main_tables, make_once
from taxi_assets.assets.metadata import file_metadata, raw_column_schema, rows_metadata, zones_column_schema
from taxi_assets.assets.stages import raw_key
from taxi_assets.dagster_errors import as_dagster_failures, retried_later
from taxi_assets.source.raw_files import zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets.warehouses.kind import TripsWarehouse, WarehouseKind
from taxi_assets.zones import ZONES_COLUMNS, ZONES_DESCRIPTION, ZONES_TABLE, expected_zones

# Ranges on the command line require a policy, and this is the only one for assets without partitions.
_ONE_RUN = dg.BackfillPolicy.single_run()


def zones_assets(warehouses: Sequence[WarehouseKind], retries: dg.RetryPolicy) -> Sequence[dg.AssetsDefinition]:
    """The zones' raw file, and a table of them in each warehouse."""
    return [
        _raw_zones(retries, make_once(main_tables(*warehouses))),
        *(_zones_table(warehouse, retries, make_once(main_tables(warehouse))) for warehouse in warehouses),
    ]


def zones_checks(warehouses: Sequence[WarehouseKind]) -> Sequence[dg.AssetChecksDefinition]:
    """The check of each warehouse's zones."""
    return [_zones_check(warehouse) for warehouse in warehouses]


def _raw_zones(retries: dg.RetryPolicy, following: Condition) -> dg.AssetsDefinition:
    @dg.asset(
        key=raw_key(ZONES_TABLE),
        description="The list of taxi zones, exactly as it was published, verified and kept in the landing zone.",
        metadata={"dagster/column_schema": raw_column_schema(ZONES_COLUMNS)},
        kinds={"csv", "file"},
        backfill_policy=_ONE_RUN,
        automation_condition=following,
    )
    def land_zones(context: dg.AssetExecutionContext, source: TripSource) -> dg.MaterializeResult[Any]:
        with retried_later(context, retries), as_dagster_failures():
            return dg.MaterializeResult(metadata=file_metadata(source.land(zones_file(), context.log)))

    return land_zones


def _zones_table(warehouse: WarehouseKind, retries: dg.RetryPolicy, following: Condition) -> dg.AssetsDefinition:
    @dg.asset(
        key=warehouse.key(ZONES_TABLE),
        deps=[raw_key(ZONES_TABLE)],
        description=ZONES_DESCRIPTION,
        metadata={
            "dagster/column_schema": zones_column_schema(warehouse),
            "dagster/table_name": ZONES_TABLE,
            "dagster/storage_kind": warehouse.name,
        },
        kinds={warehouse.name, "table"},
        backfill_policy=_ONE_RUN,
        automation_condition=following,
        io_manager_key=warehouse.io_manager_key,
        required_resource_keys={"source", warehouse.name},
    )
    def load_zones(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        start = time.monotonic()
        source: TripSource = context.resources.source
        target: TripsWarehouse = getattr(context.resources, warehouse.name)
        with retried_later(context, retries), as_dagster_failures():
            rows = source.current(zones_file()).read_by(
                lambda current: target.replace_zones(current, context.log), context.log
            )
        metadata = rows_metadata(rows, seconds=time.monotonic() - start, table=ZONES_TABLE)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, **metadata})

    return load_zones


def _zones_check(warehouse: WarehouseKind) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=warehouse.key(ZONES_TABLE),
        name="all_zones_are_there",
        description="The table has the expected number of zones, each with its own LocationID.",
        required_resource_keys={warehouse.name},
    )
    def all_zones_are_there(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        target: TripsWarehouse = getattr(context.resources, warehouse.name)
        with as_dagster_failures():
            zones, numbers = target.count_zones(context.log)
        return dg.AssetCheckResult(
            passed=zones == numbers == expected_zones(), metadata={"zones": zones, "distinct numbers": numbers}
        )

    return all_zones_are_there
