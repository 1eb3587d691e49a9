"""Tasks that load a landed month into DuckDB: by the project, by a bare ``read_csv``, and by steps in between."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.tasks.files import current_file, landed_file
from benchmarks.tasks.statements import TimedWarehouse, creating
from benchmarks.tasks.stopwatch import Stopwatch
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import get_taxi
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.trips.reading import insert_statement
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse

_log = logging.getLogger(__name__)


def load(landing: str, database: str, taxi: str, month: str, *, from_feed: bool = False) -> dict[str, Any]:
    """Load a landed month, of the release or of the feed, and merge it into the main table, as the project does."""
    return _load(DuckDBWarehouse(database=database), landing, taxi, month, from_feed=from_feed)


def timed_load(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Do the same, and return the seconds of each statement."""
    warehouse = TimedWarehouse(database=database)
    return {**_load(warehouse, landing, taxi, month), "parts": warehouse.seconds}


def _load(
    warehouse: DuckDBWarehouse, landing: str, taxi: str, month: str, *, from_feed: bool = False
) -> dict[str, Any]:
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    landed = landed_file(landing, known_taxi, known_month, from_feed=from_feed)
    current = current_file(landing, known_taxi, known_month, from_feed=from_feed)
    with Stopwatch() as watch, warehouse.session(_log):
        warehouse.load_month(known_taxi, known_month, current, _log)
        merge = warehouse.merge_month(known_taxi, known_month, _log)
    if merge.rows != landed.rows:
        raise TaxiAssetsError(f"The file has {landed.rows} rows, but the main table holds {merge.rows} of it.")
    return {
        "seconds": watch.seconds,
        "rows": merge.rows,
        "inserted": merge.inserted,
        "updated": merge.updated,
        "deleted": merge.deleted,
    }


def bare(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Read the file with DuckDB's defaults: it guesses the types, and there are no ids."""
    landed = landed_file(landing, get_taxi(taxi), Month.parse(month))
    statement = f"CREATE TABLE trips AS SELECT * FROM read_csv({literal(str(landed.path))})"
    return _create(database, statement, config={})


def bare_within_limits(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Do the same with the settings of the project's connections: bounded memory, rows in any order."""
    landed = landed_file(landing, get_taxi(taxi), Month.parse(month))
    statement = f"CREATE TABLE trips AS SELECT * FROM read_csv({literal(str(landed.path))})"
    return _create(database, statement, config=_config())


def typed(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Declare the types instead of having them guessed, without any check: DuckDB rounds values that do not fit."""
    known_taxi = get_taxi(taxi)
    landed = landed_file(landing, known_taxi, Month.parse(month))
    columns = ", ".join(
        f"{literal(name)}: {literal(COLUMN_TYPES[known_taxi.column(name).kind])}" for name in landed.header
    )
    reader = f"read_csv({literal(str(landed.path))}, header = true, auto_detect = false, columns = {{{columns}}})"
    return _create(database, f"CREATE TABLE trips AS SELECT * FROM {reader}", config=_config())


def checked(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Run the project's own statement, which checks that no value is changed by its type, but without the ids."""
    return _create_by_own_statement(landing, database, taxi, month, with_ids=False)


def with_ids(landing: str, database: str, taxi: str, month: str) -> dict[str, Any]:
    """Run the project's own statement, with ids."""
    return _create_by_own_statement(landing, database, taxi, month, with_ids=True)


def add_months(database: str, taxi: str, month: str, months: list[str]) -> dict[str, Any]:
    """Fill the main table: copy the rows of one month, with other ids, as the rows of other months, one by one."""
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    table = identifier(known_taxi.table)
    with duckdb.connect(database) as connection:
        for other in map(Month.parse, months):
            connection.execute(
                f"""
                INSERT INTO {table} BY NAME
                SELECT * REPLACE (
                    md5("unique_row_id" || $suffix) AS "unique_row_id",
                    $filename AS "filename",
                    CAST($day AS DATE) AS "file_month"
                )
                FROM {table} WHERE "file_month" = $copied
                """,
                {
                    "suffix": str(other),
                    "filename": known_taxi.csv_name(other),
                    "day": other.first_day,
                    "copied": known_month.first_day,
                },
            )
    return {"bytes": Path(database).stat().st_size}


def _create(
    database: str, statement: str, values: dict[str, Any] | None = None, *, config: Mapping[str, str | bool]
) -> dict[str, Any]:
    """Open a database, run one statement, and close the database, which writes everything to its file."""
    with Stopwatch() as watch:
        connection = duckdb.connect(database, config=dict(config))
        ((rows,),) = connection.execute(statement, values or {}).fetchall()
        connection.close()
    return {"seconds": watch.seconds, "rows": rows}


def _config() -> Mapping[str, str | bool]:
    limit: str = DuckDBWarehouse.model_fields["memory_limit"].default
    return {"memory_limit": limit, "preserve_insertion_order": False}


def _create_by_own_statement(landing: str, database: str, taxi: str, month: str, *, with_ids: bool) -> dict[str, Any]:
    """Make a table of a landed month by the project's own statement."""
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    landed = landed_file(landing, known_taxi, known_month)
    statement, values = insert_statement(known_taxi, known_month, landed, table="trips")
    return _create(database, creating(statement, "trips", with_ids=with_ids), values, config=_config())
