"""Turns any table that an asset returns into a stream of Arrow batches with a column for the month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.sql import literal

BATCH_ROWS: Final = 100_000
"""Rows of an Arrow batch between an asset and a warehouse."""


def arrow_stream(table: str, rows: Any, months: Sequence[Month] | None) -> pa.RecordBatchReader:
    """The rows as a stream that can be read once, with a column ``file_month`` if the table has months.

    Args:
        table: Name of the table that they are for, for messages.
        rows: A DataFrame, an Arrow table or reader, or a DuckDB relation.
        months: The months that they belong to; None if the table has no months.

    Raises:
        WarehouseError: The rows are not a table, or there are several months and the column ``file_month`` is missing.
    """
    stream = _stream(table, rows)
    if months is None or "file_month" in stream.schema.names:
        return stream
    if len(months) > 1:
        raise WarehouseError(
            f"The rows for {table} have no column file_month, so it is not known to which of the {len(months)} months "
            "they belong: add the column, or write one month at a time."
        )
    month = f"CAST({literal(str(months[0].first_day))} AS DATE)"
    relation = duckdb.connect().from_arrow(stream).select(f'{month} AS "file_month", *')
    return relation.to_arrow_reader(BATCH_ROWS)


def _stream(table: str, rows: Any) -> pa.RecordBatchReader:
    match rows:
        case duckdb.DuckDBPyRelation():
            return rows.to_arrow_reader(BATCH_ROWS)
        case pa.Table():
            return rows.to_reader()
        case pa.RecordBatchReader():
            return rows
    # It takes half a second, which commands without a DataFrame need not wait for.
    import pandas as pd  # noqa: PLC0415

    if isinstance(rows, pd.DataFrame):
        return pa.Table.from_pandas(rows, preserve_index=False).to_reader()
    raise WarehouseError(
        f"{table} can't be created from a {type(rows).__name__}: "
        "return a pandas DataFrame, an Arrow table or reader, or a DuckDB relation."
    )


class FetchedRows:
    """The rows of a query as an Arrow stream: fetched when they are needed, and again for each reading."""

    def __init__(self, columns: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        """Take the columns, and a function that runs the query and yields its rows."""
        self._columns, self._batches = columns, batches

    def __arrow_c_schema__(self) -> object:
        return self._columns.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._columns, self._batches())
        return reader.__arrow_c_stream__(requested_schema)
