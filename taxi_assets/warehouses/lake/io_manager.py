"""Passes the lake's tables to assets as inputs, and stores what assets return as Parquet files."""

from typing_extensions import override

from taxi_assets.warehouses.io_manager import Tables, TablesIOManager
from taxi_assets.warehouses.lake.warehouse import LakeWarehouse


class LakeIOManager(TablesIOManager):
    """Reads and writes the tables of the lake."""

    warehouse: LakeWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
