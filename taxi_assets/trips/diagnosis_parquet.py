"""Finds the values of a Parquet file that a taxi's table can't hold unchanged: row, column and value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import duckdb

from taxi_assets.errors import DamagedFileError
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.trips.columns import COLUMN_TYPES, is_unchanged_in_parquet


def find_parquet_problems(landed: LandedFile, taxi: Taxi, *, limit: int) -> Iterator[tuple[int, Column, str]]:
    """Yield row, column and value of what can't be held, column by column, at most ``limit`` of each.

    Rows are counted from one, in the order of the file.

    Raises:
        OSError: The file can't be opened.
        DamagedFileError: It is no longer what was verified, or its rows can't be read.
    """
    with landed.path.open("rb") as stream:
        is_as_verified = hashlib.file_digest(stream, "sha256").hexdigest() == landed.sha256
    if not is_as_verified:
        raise DamagedFileError(f"{landed.path} was changed after it landed: fetch it again.")
    try:
        with duckdb.connect() as connection:
            for name in landed.header:
                column = taxi.column(name)
                if column.kind == "text":
                    continue
                statement = render(
                    __package__,
                    "find_changed_values.sql",
                    column=identifier(name),
                    type=COLUMN_TYPES[column.kind],
                    is_unchanged=is_unchanged_in_parquet(column, cast="TRY_CAST"),
                    limit=limit,
                )
                for row, value in connection.execute(statement, {"path": str(landed.path)}).fetchall():
                    yield row, column, value
    except duckdb.Error as error:
        cause = str(error).partition("\n")[0]
        raise DamagedFileError(
            f"{landed.path} can't be read as Parquet ({cause}): fetch it again, and if it stays so choose another "
            "source with TAXI_SOURCE."
        ) from error
