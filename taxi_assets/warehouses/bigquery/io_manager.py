"""Hands BigQuery's tables to assets that ask for them, and keeps what assets return."""

from typing_extensions import override

from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets.warehouses.io_manager import Tables, TablesIOManager


class BigQueryIOManager(TablesIOManager):
    """Reads and writes tables of the dataset."""

    warehouse: BigQueryWarehouse

    @property
    @override
    def tables(self) -> Tables:
        return self.warehouse
