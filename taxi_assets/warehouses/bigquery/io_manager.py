"""Passes BigQuery's tables to assets as inputs, and stores what assets return as tables."""

from typing_extensions import override

from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets.warehouses.io_manager import Tables, TablesIOManager


class BigQueryIOManager(TablesIOManager):
    """Reads and writes the tables of the dataset."""

    warehouse: BigQueryWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
