"""Says in one sentence what is wrong with a raw file that DuckDB refused: line, column and value.

DuckDB reads fast and stops at something it can't take; this reads the file again, slowly and line by line, to tell a
person where to look.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import duckdb

from taxi_assets.errors import DamagedFileError, TaxiAssetsError, UnexpectedContentError
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.trips.columns import COLUMN_TYPES, NOISE, is_unchanged_in_parquet

_Error = TypeVar("_Error", bound=Exception)

_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_INTEGER_LIMIT = 2**31
_DECIMAL_LIMIT = 10**10
_SHOWN = 3


def explain_refusal(landed: LandedFile, taxi: Taxi, error: _Error) -> TaxiAssetsError | _Error:
    """The error to raise instead of DuckDB's: about the file where the file is at fault, else DuckDB's own."""
    return describe_problems(landed, taxi) or error


def describe_problems(landed: LandedFile, taxi: Taxi) -> TaxiAssetsError | None:
    """Read the file line by line, and return the error that says what is wrong with it, or None."""
    problems = _problems_of_parquet(landed, taxi) if landed.is_parquet else find_problems(landed, taxi)
    try:
        findings = list(islice(problems, _SHOWN + 1))
    except DamagedFileError as damage:
        return damage
    except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
        return DamagedFileError(
            f"{landed.path} can't be unpacked ({damage}): it was changed after it landed, so fetch it again."
        )
    except OSError as cause:
        return DamagedFileError(f"{landed.path} can't be read ({cause.strerror}): fetch it again.")
    if not findings:
        return None
    shown = "; ".join(findings[:_SHOWN])
    more = "; and more" if len(findings) > _SHOWN else ""
    return UnexpectedContentError(
        f"{landed.path.name} has values that {taxi.table} can't hold unchanged: {shown}{more}. "
        "Nothing was loaded; correct the file at its source or fetch it again."
    )


def find_problems(landed: LandedFile, taxi: Taxi) -> Iterator[str]:
    """Yield each problem of the file as a phrase, in the order of its lines.

    Raises:
        OSError, EOFError, zlib.error: The file can't be read or unpacked.
    """
    columns = [taxi.column(name) for name in landed.header]
    # A byte that is not UTF-8 becomes a surrogate, so that it can be reported with its line.
    with gzip.open(landed.path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(text)
        next(reader, None)
        for row in reader:
            if row and len(row) != len(columns):
                yield f"line {reader.line_num:,} has {len(row)} fields instead of {len(columns)}"
                continue
            for column, value in zip(columns, row, strict=False):
                fault = _fault(column, value)
                if fault:
                    yield f"line {reader.line_num:,}, column {column.name}: “{_printable(value)}” {fault}"


def _problems_of_parquet(landed: LandedFile, taxi: Taxi) -> Iterator[str]:
    for row, column, value in find_parquet_problems(landed, taxi, limit=_SHOWN + 1):
        fault = _fault(column, value) or "can't be held as it is"
        yield f"row {row:,}, column {column.name}: “{_printable(value)}” {fault}"


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


def _fault(column: Column, value: str) -> str | None:
    """What is wrong with a field's text, or None."""
    if value == "":
        return None
    match column.kind:
        case "integer" | "decimal":
            return _number_fault(column, value)
        case "timestamp":
            return _timestamp_fault(value)
        case "text":
            return None if value.isprintable() else "is not readable text"


def _number_fault(column: Column, value: str) -> str | None:
    if not _NUMBER.fullmatch(value):
        return "is not a number"
    number = Decimal(value.strip())
    if column.kind == "integer":
        if number != number.to_integral_value():
            return "is not a whole number"
        return None if -_INTEGER_LIMIT <= number < _INTEGER_LIMIT else "is out of range"
    if abs(number) >= _DECIMAL_LIMIT:
        return "is out of range"
    excess = abs(number - round(number, 4))
    return None if excess <= Decimal(NOISE) * abs(number) else "has more than four decimals"


def _timestamp_fault(value: str) -> str | None:
    if not _TIMESTAMP.fullmatch(value):
        return "is not a date and time like 2020-10-01 00:31:19"
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "is not a date and time that exists"
    return None


def _printable(value: str) -> str:
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in value)
    return shown if len(shown) <= 60 else shown[:60] + "…"  # noqa: PLR2004 - enough to recognise a value
