"""Reads the lake's tables as lazy relations, and writes those of the user's assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.lake.folder import Files, LakeFolder
from taxi_assets.warehouses.lake.parquet import write_parquet
from taxi_assets.warehouses.rows import arrow_stream
from taxi_assets.warehouses.trip_tables import month_not_loaded, months_are_needed, no_such_table, table_columns

_INCOMING = "incoming_rows"


def read_table(
    engine: duckdb.DuckDBPyConnection, folder: LakeFolder, table: str, months: Sequence[Month] | None
) -> duckdb.DuckDBPyRelation:
    """A lazy relation over a table or those months of it; ``<taxi>_tripdata_month`` stands for monthly tables.

    It reads the version that is the latest now, whatever is written afterwards.

    Raises:
        WarehouseError: There is no such table, or monthly tables are asked for without months.
    """
    taxi = taxi_of_month_asset(table)
    if taxi is not None:
        if not months:
            raise months_are_needed(table)
        return engine.sql(trips_query(engine, taxi, [month_file(folder, taxi, month) for month in months]))
    latest = folder.latest(table)
    if latest is None:
        raise no_such_table(f"The lake in {folder.path}", table)
    wanted = [file for month, file in latest.files.items() if months is None or month is None or month in months]
    # If it has none of these months, one that is left out below says what the columns are.
    files = wanted or list(latest.files.values())[:1]
    main = taxi_of_main_table(table)
    query = trips_query(engine, main, files) if main else f"FROM {_read(files, has_months=None not in latest.files)}"
    relation = engine.sql(query)
    return relation if months is None else relation.filter(_is_in(months))


def month_file(folder: LakeFolder, taxi: Taxi, month: Month) -> Path:
    """The file of a monthly table: its own, or the main table's where it has been merged.

    Raises:
        WarehouseError: There is none.
    """
    for table in (taxi.month_asset, taxi.table):
        latest = folder.latest(table)
        if latest and month in latest.files:
            return latest.files[month]
    raise month_not_loaded(f"The lake in {folder.path}", "lake", taxi, month)


def trips_query(engine: duckdb.DuckDBPyConnection, taxi: Taxi, files: Sequence[Path]) -> str:
    """The query for all trips in these files, with the columns of today's definition."""
    source = _read(files, has_months=True)
    found = set(engine.sql(f"FROM {source}").columns)
    return render(__package__, "trips.sql", columns=table_columns(taxi, DIALECT), found=found, files=source)


def stage_rows(
    engine: duckdb.DuckDBPyConnection,
    table: str,
    rows: object,
    months: Sequence[Month] | None,
    *,
    description: str,
    drafts: Path,
) -> tuple[int, Files]:
    """Write what an asset returned to drafts.

    Returns:
        The number of rows, and the drafts.

    Raises:
        WarehouseError: The rows are not a table, or their months are not known, or not among those to be replaced.
    """
    engine.register(_INCOMING, arrow_stream(table, rows, months))
    # A stream can be read only once, and each month is written by itself.
    engine.execute(f"CREATE TABLE {identifier(table)} AS FROM {_INCOMING}")
    counts: dict[Month | None, int] = {}
    if months is None:
        ((counts[None],),) = engine.execute(f"SELECT count(*) FROM {identifier(table)}").fetchall()
    else:
        counts.update(dict.fromkeys(months, 0))
        counts.update(_rows_by_month(engine, table, months))
    files: dict[Month | None, Path] = {}
    for month, count in counts.items():
        draft = drafts / (f"{table}.parquet" if month is None else f"{table}_{month}.parquet")
        query = f"FROM {identifier(table)}"
        if month is not None:
            # The month is in the name of the file's folder, where readers look for it.
            query = (
                f'SELECT * EXCLUDE ("file_month") FROM {identifier(table)} '
                f'WHERE CAST("file_month" AS DATE) = {DIALECT.day(month.first_day)}'
            )
        write_parquet(engine, query, draft, rows=count, description=description)
        files[month] = draft
    return sum(counts.values()), files


def _rows_by_month(
    engine: duckdb.DuckDBPyConnection, table: str, months: Sequence[Month]
) -> Mapping[Month | None, int]:
    """Rows of each month of the incoming rows.

    Raises:
        WarehouseError: A row is of no month, or of one that is not to be replaced.
    """
    first_days = {month.first_day: month for month in months}
    counts = engine.execute(f'SELECT CAST("file_month" AS DATE), count(*) FROM {identifier(table)} GROUP BY ALL')
    found = dict(counts.fetchall())
    others = sorted(str(day) for day in found.keys() - first_days.keys())
    if others:
        raise WarehouseError(
            f"The rows for {table} have the file_month {others[0]}, which is not the first day of a month that is "
            "written: nothing was changed; return rows of the run's months only."
        )
    return {first_days[day]: count for day, count in found.items()}


def _read(files: Sequence[Path], *, has_months: bool) -> str:
    """SQL for the rows of files, whose names DuckDB must not take for patterns."""
    patterns = ["".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file)) for file in files]
    return render(__package__, "read_files.sql", patterns=patterns, has_months=has_months)


def _is_in(months: Sequence[Month]) -> duckdb.Expression:
    days = [duckdb.ConstantExpression(month.first_day) for month in months]
    return duckdb.ColumnExpression("file_month").isin(*days)
