"""Hands DuckDB tables to assets that ask for them, and keeps what assets return."""

from typing_extensions import override

from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.io_manager import Tables, TablesIOManager


class DuckDBIOManager(TablesIOManager):
    """Reads and writes tables of the embedded warehouse."""

    warehouse: DuckDBWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
