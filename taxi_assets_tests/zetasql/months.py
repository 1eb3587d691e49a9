"""One month's rows as BigQuery computes them, by the statement of its monthly table, and as DuckDB loads them."""

from __future__ import annotations

import csv
import gzip
import hashlib
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from taxi_assets.months import Month
from taxi_assets.source.raw_files import FileVersion, LandedFile
from taxi_assets.taxis import ADDED_COLUMNS, Taxi
from taxi_assets.trips.staging import stage_month
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.raw_columns import raw_columns
from taxi_assets.warehouses.bigquery.statements import external_table, render_statement
from taxi_assets.warehouses.trip_tables import table_columns
from taxi_assets_tests.zetasql.catalog import DATASET
from taxi_assets_tests.zetasql.running import ZetaSQL

Row = tuple[Any, ...]
"""The values of a row of the monthly table."""

_READERS = {
    "STRING": str,
    "DATE": date.fromisoformat,
    "INT64": int,
    "NUMERIC": Decimal,
    "DATETIME": datetime.fromisoformat,
}


def landed(path: Path, taxi: Taxi) -> LandedFile:
    """The file as one that has landed; the facts that only the landing zone needs are left empty."""
    names = {column.name.lower(): column.name for column in taxi.columns}
    table = raw_table(path)
    header = tuple(names[name.lower()] for name in table.column_names if name.lower() in names)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = LandedFile(path, "folder", FileVersion(None), path.stat().st_size, digest, None, len(table), header)
    return replace(file, is_plain=file.is_parquet)


def raw_table(path: Path) -> pa.Table:
    """A raw file's rows, the fields of a CSV as they are written."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        names, *rows = csv.reader(lines)
    return pa.table(dict(zip(names, map(pa.array, zip(*rows, strict=True)), strict=True)))


def in_bigquery(zetasql: ZetaSQL, taxi: Taxi, month: Month, landed: LandedFile) -> list[Row]:
    """A file's rows in the order of their ids, by the statement of the monthly table.

    Raises:
        ZetaSQLError: The statement refuses the file.
    """
    columns = raw_columns(taxi, landed)
    statement = render_statement(
        "create_month_table",
        DATASET,
        taxi=taxi,
        month=month,
        header=landed.header,
        types={name.lower(): type_ for name, type_ in columns},
        filename=landed.filename,
        is_parquet=landed.is_parquet,
        labels={},
    )
    _, _, select = statement.partition("\nAS\nWITH")
    kept = table_columns(taxi, DIALECT)
    texts = ", ".join(f"CAST(`{column.name}` AS STRING)" for column in kept)
    rows = zetasql.evaluate(
        f"SELECT {texts} FROM (WITH {select})",
        f"{DATASET}.{external_table(taxi, month)}",
        dict(columns),
        cells(raw_table(landed.path).select([name for name, _ in columns])),
    )
    readers = [_READERS[column.type] for column in kept]
    return sorted(tuple(None if v is None else read(v) for read, v in zip(readers, row, strict=True)) for row in rows)


def in_duckdb(taxi: Taxi, month: Month, landed: LandedFile) -> list[Row]:
    """The rows that DuckDB loads, in the same order.

    Raises:
        UnexpectedContentError: It refuses the file.
    """
    names = ", ".join(f'"{name}"' for name in (*ADDED_COLUMNS, *(column.name for column in taxi.columns)))
    with duckdb.connect() as connection:
        stage_month(connection, taxi, month, landed, table="trips")
        return connection.execute(f'SELECT {names} FROM "trips" ORDER BY "unique_row_id"').fetchall()


def cells(table: pa.Table) -> list[list[Any]]:
    """The rows as the engine takes them: moments as microseconds since 1970, and decimals as text."""
    return [list(row) for row in zip(*(_column(column) for column in table.columns), strict=True)]


def _column(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_decimal(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    return column.to_pylist()
