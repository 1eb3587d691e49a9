"""The lake's Parquet files: how they are written, and what their ends say about them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from taxi_assets.errors import WarehouseError
from taxi_assets.ownership import MADE_BY
from taxi_assets.sql import render

_GROUP_ROWS: Final = 122_880
"""Rows of a row group at most: a reader that wants a day of a large month reads a few of them."""


def read_footer(path: Path) -> pq.FileMetaData:
    """What the end of a file says: its rows, columns and types.

    Raises:
        WarehouseError: It is damaged.
    """
    try:
        return pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise WarehouseError(
            f"{path} is damaged: nothing was changed; remove the month with the job remove_month, then materialize it "
            "again."
        ) from error


def write_parquet(engine: duckdb.DuckDBPyConnection, query: str, path: Path, *, rows: int, description: str) -> None:
    """Write the rows of a query to a file, and make sure that all of them are in it.

    Args:
        engine: The connection.
        query: The query.
        path: The file.
        rows: The number of rows that the query has.
        description: What they are, for people who look into the file.

    Raises:
        duckdb.Error: It can't be written.
        WarehouseError: Another number of rows was written.
    """
    marks = {**MADE_BY, "description": description}
    # Row groups of one size, so that readers share the work evenly.
    group_rows = math.ceil(rows / max(1, math.ceil(rows / _GROUP_ROWS))) or 1
    statement = render(
        __package__, "write_parquet.sql", query=query, path=str(path), group_rows=group_rows, marks=marks
    )
    engine.execute(statement)
    written = read_footer(path).num_rows
    if written != rows:
        raise WarehouseError(
            f"{written:,} of {rows:,} rows are in {path.name}: none of them was kept; run again, and report it if it "
            "happens again."
        )
