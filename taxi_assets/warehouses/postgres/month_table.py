"""One month's table: created and filled beside the main table, then attached as one of its partitions."""

from __future__ import annotations

import re
from typing import Final, LiteralString

import duckdb
from psycopg import sql

from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.spill import spill_folder
from taxi_assets.sql import render
from taxi_assets.taxis import Taxi
from taxi_assets.trips.made_from import made_from
from taxi_assets.warehouses.postgres import catalog
from taxi_assets.warehouses.postgres.catalog import Connection
from taxi_assets.warehouses.postgres.copying import TripsReader, copy_batches
from taxi_assets.warehouses.postgres.dialect import DIALECT
from taxi_assets.warehouses.postgres.loaded_months import note_of_load
from taxi_assets.warehouses.trip_tables import KEY, column_names, staging_table

_NOTED_ROWS: Final = re.compile(r"([\d,]+) rows\.$")


def latest_month_table(connection: Connection, taxi: Taxi, month: Month) -> str:
    """Name of the table with the month's latest rows: the staged table, if it exists."""
    staging = staging_table(taxi, month)
    return staging if catalog.kind_of(connection, staging) else taxi.month_table(month)


def drop_left_overs(connection: Connection, taxi: Taxi, month: Month) -> None:
    """Drop the tables that killed loads and loads without a merge have left behind for the month.

    Raises:
        WarehouseError: A table with such a name belongs to another program.
    """
    for table in (staging_table(taxi, month), _filling_table(taxi, month)):
        catalog.drop_own(connection, table)


def _model_table(taxi: Taxi, month: Month) -> str:
    """Name of the empty temporary table that is the model of a month's table; it is dropped with the session."""
    return f"{staging_table(taxi, month)}_model"


def _filling_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's table while it is filled, which only the filling transaction sees."""
    return f"{staging_table(taxi, month)}_filling"


def fill_month_table(
    connection: Connection, taxi: Taxi, month: Month, current: CurrentFile, name: str, *, memory_limit: str
) -> int:
    """Create a table of that name with the file's rows, each with its final id, in one transaction.

    Rows that are copied into a table of the same transaction can be written as frozen: later readers need not look up
    whether their transaction was committed, and write their page again to record it.

    Returns:
        The number of rows.

    Raises:
        FileReplacedError: The file was replaced while it was read; the transaction was rolled back.
    """
    filling, model = _filling_table(taxi, month), _model_table(taxi, month)
    with spill_folder() as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "preserve_insertion_order": False,
            "temp_directory": str(spill),
        }
        with duckdb.connect(config=config) as source, connection.transaction():
            source.execute("SET enable_progress_bar = false")
            _create_table_like(connection, sql.Identifier(filling), sql.Identifier("pg_temp", model), "INCLUDING ALL")
            with current.unchanged() as landed:
                trips = TripsReader(source, taxi, landed, spill=spill)
                rows = copy_batches(connection, filling, trips.schema, trips, options="FORMAT binary, FREEZE")
                source_of_rows = made_from(taxi, landed)
            rows += _add_held_back(connection, taxi, filling, trips)
            note = note_of_load(connection, filling, source_of_rows)
            catalog.comment_on_table(connection, filling, f"{taxi.title} trips of {month}{note}, {rows:,} rows.")
            _index(connection, filling)
            catalog.drop_own(connection, name)
            rename(connection, filling, name)
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("pg_temp", model)))
    return rows


def create_model_table(connection: Connection, taxi: Taxi, month: Month, filename: str) -> None:
    """Create an empty table that could become a partition of the main table: the same columns, only this month's rows.

    A table that is created ``LIKE`` the main table locks the main table until the transaction ends. For the table that
    is filled, this would be the whole load; so it is created like this model instead.
    """
    model = sql.Identifier("pg_temp", _model_table(taxi, month))
    with connection.transaction():
        options = "INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS"
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(model))
        _create_table_like(connection, model, sql.Identifier(taxi.table), options)
        # The server adds values that are the same in every row, which is faster than sending them.
        connection.execute(
            sql.SQL(
                "ALTER TABLE {} ADD CHECK (file_month = {month}),"
                " ALTER filename SET DEFAULT {filename}, ALTER file_month SET DEFAULT {month}"
            ).format(model, month=sql.Literal(month.first_day), filename=sql.Literal(filename))
        )


def _create_table_like(
    connection: Connection, table: sql.Identifier, model: sql.Identifier, options: LiteralString
) -> None:
    statement = sql.SQL("CREATE TABLE {} (LIKE {} " + options + ")")
    connection.execute(statement.format(table, model))


def _add_held_back(connection: Connection, taxi: Taxi, table: str, trips: TripsReader) -> int:
    """Add the trips whose ids may be repeats, give different ids to repeats, and return how many trips were added."""
    if not trips.held_rows:
        return 0
    made = sql.SQL("CREATE TEMPORARY TABLE held_back (LIKE {} INCLUDING DEFAULTS) ON COMMIT DROP")
    connection.execute(made.format(sql.Identifier(table)))
    rows = copy_batches(connection, "held_back", trips.schema, trips.held_back())
    columns = column_names(taxi, DIALECT, without=("unique_row_id",))
    statement = render(__package__, "add_held_back.sql", taxi=taxi, table=table, columns=columns, dialect=DIALECT)
    connection.execute(statement.encode())
    return rows


def _index(connection: Connection, table: str) -> None:
    connection.execute("SET maintenance_work_mem = '256MB'")
    keys = sql.SQL(", ").join(map(sql.Identifier, KEY))
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(sql.Identifier(table), keys))


def build_secondary_indexes(connection: Connection, taxi: Taxi, table: str) -> None:
    """Give a month's table the indexes that users have put on the main table."""
    name = sql.Identifier(table).as_string(connection)
    for statement in catalog.secondary_indexes(connection, taxi.table):
        connection.execute(statement.replace("{}", name, 1).encode())


def attach(connection: Connection, taxi: Taxi, month: Month) -> None:
    """Make a month's table a partition of the main table."""
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
            sql.Identifier(taxi.table), sql.Identifier(taxi.month_table(month)), sql.Literal(str(month.first_day))
        )
    )


def drop_partition(connection: Connection, taxi: Taxi, month: Month) -> None:
    """Drop a month's partition of the main table."""
    names = {"main": sql.Identifier(taxi.table), "month": sql.Identifier(taxi.month_table(month))}
    connection.execute(sql.SQL("ALTER TABLE {main} DETACH PARTITION {month}").format(**names))
    connection.execute(sql.SQL("DROP TABLE {month}").format(**names))


def rename(connection: Connection, old: str, new: str) -> None:
    """Give a table another name."""
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def count(connection: Connection, table: str) -> int:
    """Number of rows of a table."""
    ((rows,),) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchall()
    return int(rows)


def rows_of_other_months(connection: Connection, taxi: Taxi, month: Month) -> int:
    """Rows that the main table has of all other months, as noted when each was loaded.

    Each partition's comment contains its number of rows, so nothing is read. Rows that users have inserted or deleted
    since then are not considered until that month is merged again. A partition without such a comment is counted.
    """
    comments = catalog.partition_comments(connection, taxi.table)
    comments.pop(taxi.month_table(month), None)
    noted = {name: _NOTED_ROWS.search(comment) for name, comment in comments.items()}
    return sum(int(rows[1].replace(",", "")) if rows else count(connection, name) for name, rows in noted.items())
