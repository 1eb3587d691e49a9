"""The course's own way into PostgreSQL, as SQL of its kind: what tables made by it hold, ours must hold as well.

A staging table takes the CSV as it is, an UPDATE gives each row an MD5 over seven values and the file's name, and a
MERGE inserts the rows whose id main does not have yet. Places, vendor and rate are text, money is double precision.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

import psycopg

from taxi_assets.months import Month
from taxi_assets.taxis import Column, Taxi

MAIN: Final = "course_main"
_STAGING: Final = "course_staging"
_BLOCK_BYTES: Final = 1024 * 1024
_TEXT: Final = {"VendorID", "RatecodeID", "PULocationID", "DOLocationID"}
_TYPES: Final = {"integer": "integer", "decimal": "double precision", "timestamp": "timestamp", "text": "text"}


def load_as_the_course_does(connection: psycopg.Connection, taxi: Taxi, month: Month, path: Path) -> None:
    """Load a published file into the course's main table, which is made where it is missing."""
    columns = ", ".join(f"{column.name} {_type(column)}" for column in taxi.release_columns)
    names = ", ".join(["unique_row_id", "filename", *taxi.header])
    values = ", ".join(f"S.{name}" for name in ["unique_row_id", "filename", *taxi.header])
    identity = " || ".join(f"COALESCE(CAST({name} AS text), '')" for name in taxi.identity)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {MAIN} (unique_row_id text, filename text, {columns})")
    connection.execute(f"DROP TABLE IF EXISTS {_STAGING}")
    connection.execute(f"CREATE TABLE {_STAGING} (unique_row_id text, filename text, {columns})")
    copy = f"COPY {_STAGING} ({', '.join(taxi.header)}) FROM STDIN (FORMAT csv, HEADER true)"
    with gzip.open(path) as file, connection.cursor().copy(copy) as stream:
        while block := file.read(_BLOCK_BYTES):
            stream.write(block)
    connection.execute(f"UPDATE {_STAGING} SET unique_row_id = md5({identity}), filename = '{taxi.csv_name(month)}'")
    connection.execute(
        f"MERGE INTO {MAIN} AS T USING {_STAGING} AS S ON T.unique_row_id = S.unique_row_id"
        f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )
    connection.execute(f"DROP TABLE {_STAGING}")


def same_types(taxi: Taxi) -> str:
    """A select list that gives ids and values of either main table the course's types."""
    columns = [f"CAST({column.name} AS {_type(column)})" for column in taxi.release_columns]
    return ", ".join(["replace(CAST(unique_row_id AS text), '-', '')", "filename", *columns])


def _type(column: Column) -> str:
    return "text" if column.name in _TEXT else _TYPES[column.kind]
