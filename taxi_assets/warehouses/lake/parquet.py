"""The lake's Parquet files: how they are written, and what their ends say about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from taxi_assets.errors import WarehouseError
from taxi_assets.ownership import MADE_BY, is_ours
from taxi_assets.sql import render

_GROUP_ROWS: Final = 122_880
"""Rows of a row group at most: a reader that wants a day of a large month reads a few of them."""


@dataclass(frozen=True)
class ParquetFile:
    """What the end of a file of the lake says.

    Attributes:
        rows: Its number of rows.
        schema: Its columns and their types.
    """

    rows: int
    schema: pq.ParquetSchema


def read_own(path: Path) -> ParquetFile:
    """What the end of a file says.

    Raises:
        WarehouseError: It is not a Parquet file, or this project did not write it.
        FileNotFoundError: There is no such file.
    """
    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise WarehouseError(
            f"{path} is damaged, or not a Parquet file: nothing was changed; move it away, then materialize its month "
            "again."
        ) from error
    marks = {key.decode(): value.decode(errors="replace") for key, value in (metadata.metadata or {}).items()}
    if not is_ours(marks):
        raise WarehouseError(
            f"There is a file {path} that this project did not create: nothing was changed; move it away, then run "
            "again."
        )
    return ParquetFile(metadata.num_rows, metadata.schema)


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
    statement = render(
        __package__, "write_parquet.sql", query=query, path=str(path), group_rows=_group_rows(rows), marks=marks
    )
    engine.execute(statement)
    written = read_own(path).rows
    if written != rows:
        raise WarehouseError(
            f"{written:,} of {rows:,} rows are in {path.name}: none of them was kept; run again, and report it if it "
            "happens again."
        )


def _group_rows(rows: int) -> int:
    """Rows of a row group, so that all groups are of the same size.

    Spark divides a file by the size that it had when it was listed, and leaves out groups that lie behind it. With a
    last group that is large, a file may have grown a little since.
    """
    return math.ceil(rows / max(1, math.ceil(rows / _GROUP_ROWS))) or 1
