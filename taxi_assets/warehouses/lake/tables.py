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
from taxi_assets.warehouses.lake.folder import LakeFolder
from taxi_assets.warehouses.lake.parquet import write_parquet
from taxi_assets.warehouses.rows import arrow_stream
from taxi_assets.warehouses.trip_tables import month_not_loaded, months_are_needed, no_such_table, table_columns

_INCOMING = "incoming_rows"


def read_table(
    engine: duckdb.DuckDBPyConnection, folder: LakeFolder, table: str, months: Sequence[Month] | None
) -> duckdb.DuckDBPyRelation:
    """A lazy relation over a table or those months of it; ``<taxi>_tripdata_month`` stands for monthly tables.

    Each reading of it lists the files again.

    Raises:
        WarehouseError: There is no such table, or monthly tables are asked for without months.
    """
    taxi = taxi_of_month_asset(table)
    if taxi is not None:
        if not months:
            raise months_are_needed(table)
        files = [month_file(folder, taxi, month) for month in months]
        return engine.sql(trips_query(engine, taxi, [as_pattern(file) for file in files]))
    if not folder.exists(table):
        raise no_such_table(f"The lake in {folder.path}", table)
    main = taxi_of_main_table(table)
    has_months = not folder.file(table).exists()
    patterns = [_all_months(folder, table) if has_months else as_pattern(folder.file(table))]
    query = trips_query(engine, main, patterns) if main else f"FROM {_files(patterns, has_months=has_months)}"
    relation = engine.sql(query)
    return relation if months is None else relation.filter(_is_in(months))


def month_file(folder: LakeFolder, taxi: Taxi, month: Month) -> Path:
    """The file of a monthly table: its own, or the main table's where it has been merged.

    Raises:
        WarehouseError: There is none.
    """
    for table in (taxi.month_asset, taxi.table):
        file = folder.file(table, month, name=taxi.table)
        if file.exists():
            return file
    raise month_not_loaded(f"The lake in {folder.path}", "lake", taxi, month)


def _all_months(folder: LakeFolder, table: str) -> str:
    """The pattern of the files of all months of a table."""
    return f"{as_pattern(folder.table(table))}/file_month=*/*.parquet"


def trips_query(engine: duckdb.DuckDBPyConnection, taxi: Taxi, patterns: Sequence[str]) -> str:
    """The query for all trips in the files of these patterns, with the columns of today's definition."""
    files = _files(patterns, has_months=True)
    found = set(engine.sql(f"FROM {files}").columns)
    return render(__package__, "trips.sql", columns=table_columns(taxi, DIALECT), found=found, files=files)


def stage_rows(
    engine: duckdb.DuckDBPyConnection,
    table: str,
    rows: object,
    months: Sequence[Month] | None,
    *,
    description: str,
    drafts: Path,
) -> tuple[int, Mapping[Month | None, Path]]:
    """Write what an asset returned to drafts.

    Returns:
        The number of rows, and the draft of each month; the draft of None if the table has no months.

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
    files = {}
    for month, count in counts.items():
        files[month] = drafts / f"{month}.parquet"
        query = f"FROM {identifier(table)}"
        if month is not None:
            # The month is in the name of the file's folder, where readers look for it.
            query = (
                f'SELECT * EXCLUDE ("file_month") FROM {identifier(table)} '
                f'WHERE CAST("file_month" AS DATE) = {DIALECT.day(month.first_day)}'
            )
        write_parquet(engine, query, files[month], rows=count, description=description)
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


def _files(patterns: Sequence[str], *, has_months: bool) -> str:
    return render(__package__, "read_files.sql", patterns=patterns, has_months=has_months)


def as_pattern(path: Path) -> str:
    """The pattern that stands for one path, whose characters DuckDB must not take for wildcards."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path.as_posix())


def _is_in(months: Sequence[Month]) -> duckdb.Expression:
    days = [duckdb.ConstantExpression(month.first_day) for month in months]
    return duckdb.ColumnExpression("file_month").isin(*days)
