"""Passes DuckDB tables to assets as inputs, and stores what assets return as tables."""

from typing_extensions import override

from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.io_manager import Tables, TablesIOManager


class DuckDBIOManager(TablesIOManager):
    """Reads and writes the tables of the embedded warehouse."""

    warehouse: DuckDBWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
