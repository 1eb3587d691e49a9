"""Trips in PostgreSQL.

The main table is partitioned by the file's month, and the monthly table is that partition: it is filled and indexed
beside the main table, and swapped in by one short transaction. So merging copies nothing, nothing is stored twice,
and what users put on the main table (views, grants, indexes) stays.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Final, LiteralString

import duckdb
import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import Field

from taxi_assets.errors import NoSuchTableError, WarehouseError
from taxi_assets.months import Month
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Column, Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, MonthProfile, TableRole, table_columns
from taxi_assets.warehouses.postgres import catalog
from taxi_assets.warehouses.postgres.catalog import Connection
from taxi_assets.warehouses.postgres.columns import COLUMN_TYPES, ID_TYPE
from taxi_assets.warehouses.postgres.connection import PostgresResource
from taxi_assets.warehouses.postgres.copying import TripsReader, copy_batches
from taxi_assets.warehouses.postgres.locks import exclusive, in_short_transaction
from taxi_assets.warehouses.postgres.tables import read_query, table_query, trips_query, write_rows
from taxi_assets.zones import ZONES_COLUMNS, ZONES_DESCRIPTION, ZONES_TABLE

_KEY: Final = ("unique_row_id", "file_month")

_log = logging.getLogger(__name__)


class PostgresWarehouse(PostgresResource):
    """The PostgreSQL server as a warehouse."""

    lock_wait_seconds: float = Field(
        default=3600.0, description="How long to wait for other loads of the same month, or for readers of main."
    )
    memory_limit: str = Field(
        default="256MiB", description="Memory that DuckDB may use while it types a month, before it spills to disk."
    )

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: connections come about in a moment here."""
        return nullcontext()

    def load_month(self, taxi: Taxi, month: Month, landed: LandedFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table, coming, shape = taxi.month_table(month), _coming_table(taxi, month), _shape_table(taxi, month)
        with self._exclusive_month(taxi, month, f"load {month_table}", log) as connection:
            start = time.monotonic()
            self._create_schema(connection, log)
            self._create_main_table(connection, taxi, log)
            if catalog.kind_of(connection, month_table):
                catalog.require_own_table(connection, month_table)
            for left_over in (shape, coming, _loading_table(taxi, month)):
                catalog.drop_own(connection, left_over)
            _create_shape_table(connection, taxi, month, landed)
            # Only a month that is not in main yet has its own name at once.
            name = coming if catalog.kind_of(connection, month_table) == "partition" else month_table
            rows = self._fill(connection, taxi, month, landed, name)
            return MonthLoad(rows, time.monotonic() - start)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table, coming = taxi.month_table(month), _coming_table(taxi, month)
        with self._exclusive_month(taxi, month, f"merge {month_table} into {taxi.table}", log) as connection:
            self._add_new_columns(connection, taxi, _latest_month_table(connection, taxi, month), log)
            match catalog.kind_of(connection, coming), catalog.kind_of(connection, month_table):
                case "table", "partition":
                    return self._replace_partition(connection, taxi, month, log)
                case _, "partition":
                    return MonthMerge(_count(connection, month_table), inserted=0, updated=0, deleted=0)
                case _, "table":
                    return self._add_partition(connection, taxi, month, log)
                case _:
                    raise WarehouseError(
                        f"PostgreSQL at {self.place} has no table {month_table}: "
                        f"materialize postgres/{taxi.month_asset} for {month} first."
                    )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self.translated_errors(f"measure {taxi.table}"), self.get_connection() as connection:
            table = taxi.table if role == "main" else _latest_month_table(connection, taxi, month)
            if catalog.kind_of(connection, table) is None:
                raise WarehouseError(
                    f"PostgreSQL at {self.place} has no table {table}: materialize {month} of {taxi.table} first."
                )
            self._add_new_columns(connection, taxi, table, log)
            statement = render(__package__, "profile_month.sql", taxi=taxi, table=table)
            cursor = connection.cursor(row_factory=dict_row)
            row = cursor.execute(statement.encode(), {"file_month": month.first_day}).fetchone()
            return MonthProfile.from_row(row or {})

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table, coming = taxi.month_table(month), _coming_table(taxi, month)
        with self._exclusive_month(taxi, month, f"remove {month_table}", log) as connection:
            kind = catalog.kind_of(connection, month_table)
            if kind is None:
                raise WarehouseError(f"PostgreSQL at {self.place} has no {month_table}: there is nothing to remove.")
            catalog.drop_own(connection, _shape_table(taxi, month))
            catalog.drop_own(connection, coming)
            if kind != "partition":
                catalog.drop_own(connection, month_table)
                return 0
            catalog.require_own_table(connection, month_table)
            rows = _count(connection, month_table)
            self._change_main(
                connection, taxi, "ACCESS EXCLUSIVE", lambda: _drop_partition(connection, taxi, month), log
            )
            return rows

    def replace_zones(self, landed: LandedFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with duckdb.connect() as source:
            stage_zones(source, landed, table=ZONES_TABLE)
            names = ", ".join(f"{identifier(c.name)} AS {identifier(c.name.lower())}" for c in ZONES_COLUMNS)
            rows = source.table(ZONES_TABLE).select(names).to_arrow_table()
        return self.write(ZONES_TABLE, rows, None, description=ZONES_DESCRIPTION, log=log)

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self.translated_errors(f"count {ZONES_TABLE}"), self.get_connection() as connection:
            self._require(connection, ZONES_TABLE)
            statement = "SELECT count(*), count(DISTINCT locationid) FROM {}"
            query = sql.SQL(statement).format(sql.Identifier(ZONES_TABLE))
            ((zones, numbers),) = connection.execute(query).fetchall()
            return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with self.translated_errors(f"read {table}"), self.get_connection() as connection:
            monthly, main = taxi_of_month_asset(table), taxi_of_main_table(table)
            if monthly and not months:
                raise WarehouseError(f"{table} has one table per month: ask for a partition or a range of them.")
            tables = [_latest_month_table(connection, monthly, m) for m in months or ()] if monthly else [table]
            for name in tables:
                self._require(connection, name)
            taxi = monthly or main
            if taxi is not None:
                for name in tables:
                    self._add_new_columns(connection, taxi, name, _log)
            query, shape = trips_query(taxi, tables, months) if taxi else table_query(table, months)
            return read_query(self.conninfo(), self.schema_name, query, shape)

    def write(
        self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str, log: logging.Logger = _log
    ) -> int:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with (
            self.translated_errors(f"write {table}"),
            self.get_connection() as connection,
            self._exclusive(connection, table, log),
        ):
            self._create_schema(connection, log)
            catalog.require_own_table(connection, table)
            exists = catalog.kind_of(connection, table) is not None
            return write_rows(
                self.conninfo(),
                self.schema_name,
                table,
                rows=rows,
                months=months,
                description=description,
                exists=exists,
                lock_wait_seconds=self.lock_wait_seconds,
            )

    def _require(self, connection: Connection, table: str) -> None:
        if catalog.kind_of(connection, table) is None:
            raise NoSuchTableError(
                f"PostgreSQL at {self.place} has no table {table}: materialize the asset that makes it first."
            )

    @contextmanager
    def _exclusive_month(self, taxi: Taxi, month: Month, action: str, log: logging.Logger) -> Iterator[Connection]:
        """A connection that alone writes this month; other months don't wait."""
        with (
            self.translated_errors(action),
            self.get_connection() as connection,
            self._exclusive(connection, taxi.month_table(month), log),
        ):
            yield connection

    def _exclusive(self, connection: Connection, name: str, log: logging.Logger) -> AbstractContextManager[None]:
        """Hold the name in our schema for the length of the block."""
        return exclusive(connection, self.schema_name, name, wait_seconds=self.lock_wait_seconds, log=log)

    def _create_schema(self, connection: Connection, log: logging.Logger) -> None:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema_name,)).fetchone()
        if not found:
            # Even with IF NOT EXISTS, one of two sessions that create it at once would fail.
            with self._exclusive(connection, f"the schema {self.schema_name}", log):
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema_name)))

    def _create_main_table(self, connection: Connection, taxi: Taxi, log: logging.Logger) -> None:
        """Create the main table unless it is there, and make sure that it is ours and has the taxi's columns."""
        columns = _columns(taxi)
        if catalog.kind_of(connection, taxi.table) is None:
            with self._exclusive(connection, taxi.table, log), connection.transaction():
                if catalog.kind_of(connection, taxi.table) is None:
                    values = {"taxi": taxi, "table": taxi.table, "columns": columns, "keys": _KEY}
                    connection.execute(render(__package__, "create_main_table.sql", **values).encode())
                    text = f"{taxi.title} trips, all months. {taxi.description}"
                    catalog.comment_on_table(connection, taxi.table, text)
                    for name, _, description in columns:
                        catalog.comment_on_column(connection, taxi.table, name, description)
        catalog.require_own_table(connection, taxi.table)
        self._add_new_columns(connection, taxi, taxi.table, log)
        types = catalog.column_types(connection, taxi.table)
        wrong = [name for name, type_name, _ in columns if types.get(name) != type_name.lower()]
        if wrong:
            raise WarehouseError(
                f"The table {taxi.table} lacks the column {wrong[0]} or keeps it with another type: "
                "rename that table, and the next run makes a new one."
            )

    def _add_new_columns(self, connection: Connection, taxi: Taxi, table: str, log: logging.Logger) -> None:
        """Add the columns that the taxi's definition has got since main and that table were made.

        They are those that may be empty, and trips that are there have no value in them. Partitions follow main; a
        month that is not merged yet gets them by itself.
        """
        for name in dict.fromkeys([taxi.table, table]):
            if catalog.kind_of(connection, name) and _lacking_columns(connection, taxi, name):
                with self._exclusive(connection, taxi.table, log):
                    in_short_transaction(
                        connection,
                        name,
                        "ACCESS EXCLUSIVE",
                        statements=partial(_add_lacking_columns, connection, taxi, name),
                        wait_seconds=self.lock_wait_seconds,
                        log=log,
                    )

    def _fill(self, connection: Connection, taxi: Taxi, month: Month, landed: LandedFile, name: str) -> int:
        """Make a table of that name with the file's rows, each with its final id, in one transaction.

        Rows that are copied into a table of the same transaction can be written as frozen: nobody will have to look up
        whether their transaction was committed, and write their page again to note it.
        """
        loading, shape = _loading_table(taxi, month), _shape_table(taxi, month)
        with tempfile.TemporaryDirectory(prefix="taxi_assets_") as spill:
            config: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": self.memory_limit,
                "preserve_insertion_order": False,
                "temp_directory": spill,
            }
            with duckdb.connect(config=config) as source, connection.transaction():
                source.execute("SET enable_progress_bar = false")
                trips = TripsReader(source, taxi, landed)
                _create_table_like(connection, loading, shape, "INCLUDING ALL")
                catalog.comment_on_table(connection, loading, f"{taxi.title} trips of {month}.")
                rows = copy_batches(connection, loading, trips.schema, trips, options="FORMAT binary, FREEZE")
                _number_repeated_ids(connection, taxi, loading, trips.repeated_ids())
                _index(connection, loading)
                catalog.drop_own(connection, name)
                _rename(connection, loading, name)
                catalog.drop_own(connection, shape)
        return rows

    def _change_main(
        self, connection: Connection, taxi: Taxi, mode: str, statements: Callable[[], None], log: logging.Logger
    ) -> None:
        """Change which partitions main has, as soon as those who use it allow the lock."""
        in_short_transaction(
            connection, taxi.table, mode, statements=statements, wait_seconds=self.lock_wait_seconds, log=log
        )

    def _add_partition(self, connection: Connection, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        table = taxi.month_table(month)
        rows = _count(connection, table)
        _build_secondary_indexes(connection, taxi, table)
        self._change_main(connection, taxi, "SHARE UPDATE EXCLUSIVE", lambda: _attach(connection, taxi, month), log)
        return MonthMerge(rows, inserted=rows, updated=0, deleted=0)

    def _replace_partition(self, connection: Connection, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        old, new = taxi.month_table(month), _coming_table(taxi, month)
        columns = [name for name, _, _ in _columns(taxi) if name not in _KEY]
        statement = render(__package__, "count_changes.sql", old=old, new=new, value_columns=columns)
        inserted, updated, deleted = connection.execute(statement.encode()).fetchall()[0]
        rows = _count(connection, new)
        if inserted or updated or deleted:
            _build_secondary_indexes(connection, taxi, new)

            def swap() -> None:
                _drop_partition(connection, taxi, month)
                _rename(connection, new, old)
                _attach(connection, taxi, month)

            self._change_main(connection, taxi, "ACCESS EXCLUSIVE", swap, log)
        else:
            catalog.drop_own(connection, new)
        return MonthMerge(rows, inserted=inserted, updated=updated, deleted=deleted)


def _lacking_columns(connection: Connection, taxi: Taxi, table: str) -> Sequence[Column]:
    there = catalog.column_types(connection, table)
    return [column for column in taxi.columns if column.only_in_feed and column.name.lower() not in there]


def _add_lacking_columns(connection: Connection, taxi: Taxi, table: str) -> None:
    catalog.require_own_table(connection, table)
    for column in _lacking_columns(connection, taxi, table):
        name = column.name.lower()
        statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} ").format(sql.Identifier(table), sql.Identifier(name))
        connection.execute(statement + sql.SQL(COLUMN_TYPES[column.kind]))
        catalog.comment_on_column(connection, table, name, column.description)


def _shape_table(taxi: Taxi, month: Month) -> str:
    """Name of the empty table that a month's table is made like."""
    return f"{taxi.month_table(month)}_shape"


def _loading_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's table while it is filled, by a transaction that alone sees it."""
    return f"{taxi.month_table(month)}_loading"


def _coming_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's whole table until it takes the place of the partition that main has."""
    return f"{taxi.month_table(month)}_coming"


def _latest_month_table(connection: Connection, taxi: Taxi, month: Month) -> str:
    coming = _coming_table(taxi, month)
    return coming if catalog.kind_of(connection, coming) else taxi.month_table(month)


def _columns(taxi: Taxi) -> Sequence[tuple[str, str, str]]:
    """Columns with their names folded to lower case, as PostgreSQL does with names that nobody quotes."""
    return [(name.lower(), kind, text) for name, kind, text in table_columns(taxi, ID_TYPE, {**COLUMN_TYPES})]


def _create_shape_table(connection: Connection, taxi: Taxi, month: Month, landed: LandedFile) -> None:
    """An empty table that could become a partition of main: the same columns, and only this month's rows.

    A table that is made like main locks main until its transaction ends, which for the table that is filled would be
    the whole load; so that one is made like this.
    """
    shape = _shape_table(taxi, month)
    with connection.transaction():
        options = "INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS"
        _create_table_like(connection, shape, taxi.table, options)
        catalog.comment_on_table(connection, shape, f"{taxi.title} trips of {month}, about to be loaded.")
        # What is the same in every row the server adds by itself, which is quicker than sending it.
        connection.execute(
            sql.SQL(
                "ALTER TABLE {} ADD CHECK (file_month = {month}),"
                " ALTER filename SET DEFAULT {filename}, ALTER file_month SET DEFAULT {month}"
            ).format(sql.Identifier(shape), month=sql.Literal(month.first_day), filename=sql.Literal(landed.filename))
        )


def _create_table_like(connection: Connection, table: str, model: str, options: LiteralString) -> None:
    statement = sql.SQL("CREATE TABLE {} (LIKE {} " + options + ")")
    connection.execute(statement.format(sql.Identifier(table), sql.Identifier(model)))


def _number_repeated_ids(connection: Connection, taxi: Taxi, table: str, repeated: pa.Array) -> None:
    """Give trips that agree in everything the id is made of ids of their own."""
    if not len(repeated):
        return
    connection.execute("CREATE TEMPORARY TABLE repeated_ids (unique_row_id uuid) ON COMMIT DROP")
    batch = pa.RecordBatch.from_arrays([repeated], names=["unique_row_id"])
    copy_batches(connection, "repeated_ids", batch.schema, [batch])
    connection.execute(render(__package__, "number_repeated_ids.sql", taxi=taxi, table=table).encode())


def _index(connection: Connection, table: str) -> None:
    connection.execute("SET maintenance_work_mem = '256MB'")
    keys = sql.SQL(", ").join(map(sql.Identifier, _KEY))
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(sql.Identifier(table), keys))


def _build_secondary_indexes(connection: Connection, taxi: Taxi, table: str) -> None:
    name = sql.Identifier(table).as_string(connection)
    for statement in catalog.secondary_indexes(connection, taxi.table):
        connection.execute(statement.replace("{}", name, 1).encode())


def _attach(connection: Connection, taxi: Taxi, month: Month) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
            sql.Identifier(taxi.table), sql.Identifier(taxi.month_table(month)), sql.Literal(str(month.first_day))
        )
    )


def _drop_partition(connection: Connection, taxi: Taxi, month: Month) -> None:
    names = {"main": sql.Identifier(taxi.table), "month": sql.Identifier(taxi.month_table(month))}
    connection.execute(sql.SQL("ALTER TABLE {main} DETACH PARTITION {month}").format(**names))
    connection.execute(sql.SQL("DROP TABLE {month}").format(**names))


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def _count(connection: Connection, table: str) -> int:
    ((rows,),) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchall()
    return int(rows)
