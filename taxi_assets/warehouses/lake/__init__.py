"""A lake: a folder of Parquet files, one per month, which other programs read without asking this project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from taxi_assets import settings
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.kind import WarehouseKind


def _resources() -> Mapping[str, Any]:
    # Reading the ends of Parquet files takes a library that is imported only if there is a lake.
    from taxi_assets.warehouses.lake.io_manager import LakeIOManager  # noqa: PLC0415
    from taxi_assets.warehouses.lake.warehouse import LakeWarehouse  # noqa: PLC0415

    warehouse = LakeWarehouse(address=settings.lake())
    return {"lake": warehouse, "lake_io_manager": LakeIOManager(warehouse=warehouse)}


WAREHOUSE: Final = WarehouseKind(
    name="lake",
    title="the lake",
    # DuckDB writes and reads the files.
    dialect=DIALECT,
    is_configured=settings.lake_is_configured,
    resources=_resources,
)
