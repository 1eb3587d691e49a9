"""Hands DuckDB tables to assets that ask for them, and keeps what assets return.

An asset names what it wants by its type: ``pd.DataFrame``, ``pa.RecordBatchReader`` (in batches, for months that
don't fit in memory) or ``duckdb.DuckDBPyRelation`` (nothing is read until it is asked for). It gets its partition, or
all months of a range, or the whole table where it has no partitions.
"""

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse

_BATCH_ROWS: Final = 100_000


class DuckDBIOManager(dg.ConfigurableIOManager):
    """Reads and writes tables of the embedded warehouse.

    A returned value replaces the table of the asset's name; where the asset is partitioned, it replaces the rows of
    the run's months, by the column ``file_month``, which is added for a single month where the value lacks it.
    """

    warehouse: DuckDBWarehouse

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | pa.RecordBatchReader | duckdb.DuckDBPyRelation:
        """The upstream asset's table, or the months of it that the run is about, as the type that the asset names.

        Raises:
            WarehouseError: There is no such table, or the asset names a type that can't be given.
        """
        months = _months(context.asset_partition_keys) if context.has_asset_partitions else None
        relation = self.warehouse.read(context.asset_key.path[-1], months)
        wanted = context.dagster_type.typing_type
        if wanted in (duckdb.DuckDBPyRelation, Any):
            return relation
        if wanted is pd.DataFrame:
            return relation.df()
        if wanted is pa.RecordBatchReader:
            return relation.to_arrow_reader(_BATCH_ROWS)
        raise WarehouseError(
            f"{context.asset_key.to_user_string()} can't be given as {getattr(wanted, '__name__', wanted)}: "
            "ask for pd.DataFrame, pa.RecordBatchReader or duckdb.DuckDBPyRelation."
        )

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep what an asset returned, in one transaction.

        Raises:
            WarehouseError: The value is no table, its months can't be told, or the table is not ours.
        """
        months = _months(context.asset_partition_keys) if context.has_asset_partitions else None
        table = context.asset_key.path[-1]
        rows = self.warehouse.write(table, obj, months, description=f"Asset {context.asset_key.to_user_string()}.")
        count_key = "dagster/row_count" if months is None or len(months) > 1 else "dagster/partition_row_count"
        context.add_output_metadata({count_key: rows, "dagster/table_name": table})


def _months(keys: Sequence[str]) -> list[Month]:
    return [Month.parse(key) for key in keys]
