"""Says in one sentence what is wrong with a raw file that can't be loaded: line or row, column and value.

DuckDB reads fast and stops at something it can't take; this reads the file again, slowly, to tell a person where to
look. It never fails by itself, whatever the bytes are, and its memory is bounded.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import duckdb

from taxi_assets.errors import DamagedFileError, TaxiAssetsError, UnexpectedContentError
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import render
from taxi_assets.trips.columns import TableDefinition, file_columns
from taxi_assets.trips.csv_rows import find_csv_problems
from taxi_assets.trips.parquet_values import damaged, find_parquet_problems

_Error = TypeVar("_Error", bound=Exception)

_SHOWN: Final = 3


def explain_refusal(landed: LandedFile, definition: TableDefinition, error: _Error) -> TaxiAssetsError | _Error:
    """The error to raise instead of DuckDB's: about the file where the file is at fault, else DuckDB's own."""
    return describe_problems(landed, definition) or error


def describe_problems(landed: LandedFile, definition: TableDefinition) -> TaxiAssetsError | None:
    """Read the file value by value, and return the error that says what is wrong with it, or None."""
    try:
        problems = list(islice(find_problems(landed, definition), _SHOWN + 1))
    except DamagedFileError as damage:
        return damage
    except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
        return DamagedFileError(
            f"{landed.path} can't be unpacked ({damage}): it was changed after it landed, so fetch it again."
        )
    except OSError as cause:
        return DamagedFileError(f"{landed.path} can't be read ({cause.strerror}): fetch it again.")
    return refusal(landed, definition, problems) if problems else None


def refusal(landed: LandedFile, definition: TableDefinition, problems: Sequence[str]) -> UnexpectedContentError:
    """The error about a file with these problems, of which the first are shown."""
    shown = "; ".join(problems[:_SHOWN])
    more = "; and more" if len(problems) > _SHOWN else ""
    return UnexpectedContentError(
        f"{landed.path.name} has values that {definition.table} can't hold unchanged: {shown}{more}. "
        "Nothing was loaded; correct the file at its source or fetch it again."
    )


def find_problems(landed: LandedFile, definition: TableDefinition) -> Iterator[str]:
    """Yield each problem of the file as a phrase.

    Raises:
        OSError, EOFError, zlib.error: The file can't be read or unpacked.
        DamagedFileError: It is no longer what was verified, or its values can't be read.
    """
    columns = file_columns(definition, landed.header)
    if not landed.is_parquet:
        yield from find_csv_problems(landed, columns)
        return
    with landed.path.open("rb") as stream:
        is_as_verified = hashlib.file_digest(stream, "sha256").hexdigest() == landed.sha256
    if not is_as_verified:
        raise DamagedFileError(f"{landed.path} was changed after it landed: fetch it again.")
    is_sound = True
    for problem in find_parquet_problems(landed, columns):
        is_sound = False
        yield problem
    if is_sound:
        _require_duckdb_can_read(landed)


def _require_duckdb_can_read(landed: LandedFile) -> None:
    """Read the columns of a Parquet file that are loaded, and do nothing with them.

    Raises:
        DamagedFileError: DuckDB can't read them, although another reader can.
    """
    try:
        with duckdb.connect() as connection:
            statement = render(__package__, "decode_values.sql", header=landed.header)
            connection.execute(statement, {"path": str(landed.path)}).fetchall()
    except (duckdb.InternalException, duckdb.FatalException):
        # A fault of DuckDB, about which the file says nothing.
        return
    except duckdb.Error as error:
        raise damaged(landed, "its columns", error) from error
