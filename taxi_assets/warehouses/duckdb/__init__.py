"""The embedded warehouse: a DuckDB file in the project's home folder, without a server and without settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.warehouses.duckdb.dbt import prepare_dbt, show_to_dbt
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.duckdb.jobs import rebuild_duckdb
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.kind import WarehouseKind


def _resources() -> Mapping[str, Any]:
    warehouse = DuckDBWarehouse(database=str(settings.home() / "warehouse.duckdb"))
    return {"duckdb": warehouse, "duckdb_io_manager": DuckDBIOManager(warehouse=warehouse)}


def _jobs() -> Sequence[dg.JobDefinition]:
    return [rebuild_duckdb]


WAREHOUSE: Final = WarehouseKind(
    name="duckdb",
    title="DuckDB",
    dialect=DIALECT,
    is_configured=lambda: True,
    resources=_resources,
    is_default=True,
    jobs=_jobs,
    prepare_dbt=prepare_dbt,
    show_to_dbt=show_to_dbt,
)
