"""Assets as users write them beside the tables of a warehouse, and what they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from taxi_assets.partitions import months_partitions, runs_of_a_range
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets_tests.project import GREEN

Managers = Mapping[str, dg.ConfigurableIOManager]
"""The I/O manager of each warehouse by the warehouse's name."""


def materialize(
    managers: Managers, warehouse: WarehouseKind, asset: dg.AssetsDefinition, **partition: Any
) -> dg.ExecuteInProcessResult:
    """Run an asset of a user's beside the tables of a warehouse."""
    keys = [warehouse.key(GREEN.table), warehouse.key(GREEN.month_asset)]
    specs = [dg.AssetSpec(key, partitions_def=months_partitions()).with_io_manager_key("io_manager") for key in keys]
    resources = {"io_manager": managers[warehouse.name]}
    return dg.materialize([*specs, asset], selection=[asset], resources=resources, raise_on_error=False, **partition)


def tips_by_month(warehouse: WarehouseKind) -> dg.AssetsDefinition:
    """An asset of a row for each month of the run: how many of the month's green trips have a tip noted."""

    @dg.asset(
        partitions_def=months_partitions(),
        backfill_policy=runs_of_a_range(),
        ins={"trips": dg.AssetIn(warehouse.key(GREEN.table))},
    )
    def tips(trips: pd.DataFrame) -> pd.DataFrame:
        return trips.groupby("file_month", as_index=False)["tip_amount"].count()

    return tips


def handed_out(
    managers: Managers, warehouse: WarehouseKind, name: str, wanted: type, **partition: Any
) -> tuple[Any, list[Any]]:
    """Columns with their types, and sorted rows, as an asset gets them that asks for a type."""
    seen: list[tuple[Any, list[Any]]] = []

    def look(trips) -> None:
        match trips:
            case pd.DataFrame():
                rows = trips.sort_values("unique_row_id").astype(object).where(trips.notna(), None)
                seen.append((dict(trips.dtypes), rows.values.tolist()))
            case duckdb.DuckDBPyRelation():
                described = list(zip(trips.columns, map(str, trips.types), strict=True))
                seen.append((described, trips.order("unique_row_id").fetchall()))
            case _:
                table = trips.read_all().sort_by("unique_row_id")
                seen.append((table.schema, table.to_pylist()))

    look.__annotations__["trips"] = wanted
    asset = dg.asset(
        name="look",
        ins={"trips": dg.AssetIn(warehouse.key(name))},
        partitions_def=months_partitions(),
        backfill_policy=runs_of_a_range(),
    )(look)
    result = materialize(managers, warehouse, asset, **partition)
    assert result.success
    return seen[0]
