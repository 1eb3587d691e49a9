"""Passes a warehouse's tables to assets as inputs, and stores what assets return as tables.

The type of an input decides its form: ``pd.DataFrame``, ``pa.RecordBatchReader`` (in batches, for months that don't fit
in memory) or ``duckdb.DuckDBPyRelation`` (lazy: rows are read when they are used). An input is the asset's partition,
all months of a range, or the whole table if there are no partitions. Trips look the same from every warehouse.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg
import duckdb
import pyarrow as pa

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.warehouses.rows import BATCH_ROWS

if TYPE_CHECKING:
    import pandas as pd


class Tables(Protocol):
    """The part of a warehouse that an I/O manager uses."""

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """A lazy relation over a table, or over those months of it.

        ``<taxi>_tripdata_month`` stands for the monthly tables.

        Raises:
            NoSuchTableError: There is no such table.
            WarehouseError: The warehouse can't read it.
        """

    def write(self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str) -> int:
        """Replace a table, or those months of it, with these rows, and return the number of rows written.

        Args:
            table: Name of the table, which is created if it is missing.
            rows: A DataFrame, an Arrow table or reader, or a DuckDB relation.
            months: The months to replace, by the column ``file_month``; None replaces the whole table.
            description: The comment of the table.

        Raises:
            WarehouseError: The rows are not a table, their months are not known, or another program has a table of
                that name.
        """


class TablesIOManager(dg.ConfigurableIOManager):
    """Reads and writes the tables of a warehouse, which its subclasses name.

    A returned value replaces the table with the asset's name. If the asset is partitioned, it replaces the rows of the
    run's months, by the column ``file_month``; for a single month, this column is added if it is missing.
    """

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | pa.RecordBatchReader | duckdb.DuckDBPyRelation:
        """The upstream asset's table, or the run's months of it, in the input's type.

        Raises:
            WarehouseError: There is no such table, or the input's type is not supported.
        """
        months = _months(context.asset_partition_keys) if context.has_asset_partitions else None
        relation = self.tables.read(context.asset_key.path[-1], months)
        wanted = context.dagster_type.typing_type
        if wanted in (duckdb.DuckDBPyRelation, Any):
            return relation
        if wanted is pa.RecordBatchReader:
            return relation.to_arrow_reader(BATCH_ROWS)
        # It takes half a second, which commands without a DataFrame need not wait for.
        import pandas as pd  # noqa: PLC0415

        if wanted is pd.DataFrame:
            return relation.df()
        raise WarehouseError(
            f"{context.asset_key.to_user_string()} can't be read as {getattr(wanted, '__name__', wanted)}: "
            "give the input the type pd.DataFrame, pa.RecordBatchReader or duckdb.DuckDBPyRelation."
        )

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store what an asset returned, in one transaction.

        Raises:
            WarehouseError: The value is not a table, its months are not known, or another program has a table of that
                name.
        """
        months = _months(context.asset_partition_keys) if context.has_asset_partitions else None
        table = context.asset_key.path[-1]
        rows = self.tables.write(table, obj, months, description=f"Asset {context.asset_key.to_user_string()}.")
        count_key = "dagster/row_count" if months is None or len(months) > 1 else "dagster/partition_row_count"
        context.add_output_metadata({count_key: rows, "dagster/table_name": table})

    @property
    @abstractmethod
    def tables(self) -> Tables:
        """The warehouse that stores the tables."""


def _months(keys: Sequence[str]) -> list[Month]:
    return [Month.parse(key) for key in keys]
