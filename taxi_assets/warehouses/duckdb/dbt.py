"""How dbt reaches the embedded warehouse."""

from __future__ import annotations

from collections.abc import Mapping

from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse


def prepare_dbt(warehouse: DuckDBWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`.

    The file is opened and closed first, to wait while it is in use, and to fail with a clear message if it can't be
    opened.
    """
    with warehouse.get_connection():
        pass
    return {"TAXI_DBT_DUCKDB_PATH": str(warehouse.path), "TAXI_DBT_DUCKDB_MEMORY_LIMIT": warehouse.memory_limit}
