"""How dbt reaches the embedded warehouse."""

from __future__ import annotations

from collections.abc import Mapping

from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse


def prepare_dbt(warehouse: DuckDBWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`.

    The file is opened and closed first, so that a file in use is waited for, and one that can't be opened is explained.
    """
    with warehouse.get_connection():
        pass
    return {"TAXI_DBT_DUCKDB_PATH": str(warehouse.path), "TAXI_DBT_DUCKDB_MEMORY_LIMIT": warehouse.memory_limit}
