"""Loads into PostgreSQL by other means: the server's bare COPY, the course's own SQL, and pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd
import sqlalchemy
from psycopg import sql

from benchmarks.tasks.effort import Effort
from benchmarks.tasks.files import landed_file
from benchmarks.tasks.postgres_database import connect, url
from benchmarks.tasks.system_cache import read_once
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.taxis import get_taxi
from taxi_assets.warehouses.postgres.dialect import DIALECT
from taxi_assets_tests.postgres import course_oracle

_TABLE: Final = "trips"
_BLOCK_BYTES: Final = 1024 * 1024
_ROWS_AT_ONCE: Final = 10_000


def copy(path: str, schema: str, taxi: str, rows: int) -> dict[str, Any]:
    """COPY an uncompressed CSV into a table with its typed columns, and nothing else; drop the table afterwards."""
    file = Path(path)
    read_once(file)
    columns = ", ".join(
        f"{column.name} {DIALECT.column_types[column.kind]}" for column in get_taxi(taxi).release_columns
    )
    with connect(schema) as connection:
        cursor = connection.cursor()
        with Effort(connection) as effort, file.open("rb") as stream:
            cursor.execute(f"CREATE TABLE {_TABLE} ({columns})".encode())
            with cursor.copy(f"COPY {_TABLE} FROM STDIN (FORMAT csv, HEADER true)") as target:
                while block := stream.read(_BLOCK_BYTES):
                    target.write(block)
        _require(cursor.rowcount, rows)
        connection.execute(f"DROP TABLE {_TABLE}")
    return effort.facts()


def course(landing: str, schema: str, taxi: str, month: str) -> dict[str, Any]:
    """Load as the course does: staging table, UPDATE of ids, MERGE into main; then remove the month from main again."""
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    landed = landed_file(landing, known_taxi, known_month)
    with connect(schema) as connection:
        with Effort(connection) as effort:
            course_oracle.load_as_the_course_does(connection, known_taxi, known_month, landed.path)
        statement = f"DELETE FROM {course_oracle.MAIN} WHERE filename = %s"
        _require(connection.execute(statement, (known_taxi.csv_name(known_month),)).rowcount, landed.rows)
        # This also truncates the end of the table, so that it is as before.
        connection.execute(f"VACUUM {course_oracle.MAIN}")
    return effort.facts()


def pandas(landing: str, schema: str, taxi: str, month: str, rows: int) -> dict[str, Any]:
    """Read the first rows with pandas, write them with ``to_sql`` into a new table, and drop it."""
    known_taxi = get_taxi(taxi)
    landed = landed_file(landing, known_taxi, Month.parse(month))
    moments = [column.name for column in known_taxi.release_columns if column.kind == "timestamp"]
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url()).set(drivername="postgresql+psycopg"))
    with connect(schema) as connection:
        with Effort(connection) as effort:
            trips = pd.read_csv(landed.path, nrows=rows, parse_dates=moments)
            trips.to_sql(_TABLE, engine, schema=schema, index=False, chunksize=_ROWS_AT_ONCE)
        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(_TABLE))).fetchall()
        _require(count[0][0], rows)
        connection.execute(f"DROP TABLE {_TABLE}")
    engine.dispose()
    return effort.facts()


def _require(found: int, rows: int) -> None:
    if found != rows:
        raise TaxiAssetsError(f"The file has {rows} rows, but {found} are in the table.")
