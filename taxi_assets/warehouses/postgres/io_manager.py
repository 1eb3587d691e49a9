"""Passes PostgreSQL tables to assets as inputs, and stores what assets return as tables."""

from typing_extensions import override

from taxi_assets.warehouses.io_manager import Tables, TablesIOManager
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse


class PostgresIOManager(TablesIOManager):
    """Reads and writes the tables of the PostgreSQL server."""

    warehouse: PostgresWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
