"""Trips in PostgreSQL.

The main table is partitioned by the file's month, and the monthly table is that partition. It is filled and indexed
beside the main table, and swapped in by one short transaction. So merging copies nothing, nothing is stored twice, and
views, grants and indexes that users have put on the main table stay.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import duckdb
from psycopg import sql
from pydantic import Field

from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.trips.made_from import made_from
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, TableRole
from taxi_assets.warehouses.measures import MonthProfile, profile_statement, read_profile
from taxi_assets.warehouses.postgres import catalog
from taxi_assets.warehouses.postgres.catalog import Connection
from taxi_assets.warehouses.postgres.connection import PostgresResource
from taxi_assets.warehouses.postgres.dialect import DIALECT
from taxi_assets.warehouses.postgres.loaded_months import is_as_loaded
from taxi_assets.warehouses.postgres.locks import ABANDONED_SECONDS, exclusive, in_short_transaction
from taxi_assets.warehouses.postgres.month_table import (
    attach,
    build_secondary_indexes,
    count,
    create_model_table,
    drop_left_overs,
    drop_partition,
    fill_month_table,
    latest_month_table,
    rename,
    rows_of_other_months,
)
from taxi_assets.warehouses.postgres.new_columns import add_new_columns
from taxi_assets.warehouses.postgres.tables import read_query, table_query, trips_query, write_rows
from taxi_assets.warehouses.postgres.watchdog import watched, while_connected
from taxi_assets.warehouses.trip_tables import (
    KEY,
    column_names,
    month_not_loaded,
    month_not_merged,
    months_are_needed,
    no_such_table,
    nothing_to_remove,
    require_columns,
    require_meant_rows,
    staging_table,
    table_columns,
)
from taxi_assets.zones import ZONES_COLUMNS, ZONES_DESCRIPTION, ZONES_TABLE

_log = logging.getLogger(__name__)


class PostgresWarehouse(PostgresResource):
    """The PostgreSQL server as a warehouse."""

    lock_wait_seconds: float = Field(
        default=3600.0,
        description="Seconds to wait for other loads of the same month, or for readers of the main table.",
    )
    abandoned_seconds: float = Field(
        default=ABANDONED_SECONDS,
        gt=0,
        description="Seconds without a sign of its client after which another load is ended.",
    )
    memory_limit: str = Field(
        default="256MiB", description="Memory that DuckDB may use while it reads a month, before it spills to disk."
    )

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: opening a connection is cheap here."""
        return nullcontext()

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table, staging = taxi.month_table(month), staging_table(taxi, month)
        with self._exclusive_month(taxi, month, f"load {table}", log) as connection:
            start = time.monotonic()
            self._create_schema(connection, log)
            self._create_main_table(connection, taxi, log)
            if catalog.kind_of(connection, table):
                catalog.require_own_table(connection, table)
            drop_left_overs(connection, taxi, month)
            with current.unchanged() as landed:
                if is_as_loaded(connection, taxi, month, made_from(taxi, landed), landed.rows):
                    return MonthLoad.left_out(table, landed.rows, seconds=time.monotonic() - start, log=log)
            create_model_table(connection, taxi, month, current.file.filename)
            # The name is free only if the month is not in the main table yet.
            name = staging if catalog.kind_of(connection, table) == "partition" else table
            rows = fill_month_table(connection, taxi, month, current, name, memory_limit=self.memory_limit)
            return MonthLoad(rows, seconds=time.monotonic() - start)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table, staging = taxi.month_table(month), staging_table(taxi, month)
        with self._exclusive_month(taxi, month, f"merge {table} into {taxi.table}", log) as connection:
            start = time.monotonic()
            self._add_new_columns(connection, taxi, latest_month_table(connection, taxi, month), log)
            inserted = updated = deleted = 0
            match catalog.kind_of(connection, staging), catalog.kind_of(connection, table):
                case "table", "partition":
                    rows, inserted, updated, deleted = self._replace_partition(connection, taxi, month, log)
                case _, "partition":
                    log.info(f"{table} is already merged into {taxi.table}: there is nothing to do")
                    rows = count(connection, table)
                case _, "table":
                    rows = inserted = self._add_partition(connection, taxi, month, log)
                case _:
                    raise month_not_loaded(self._title, "postgres", taxi, month)
            return MonthMerge(
                rows=rows,
                table_rows=rows + rows_of_other_months(connection, taxi, month),
                inserted=inserted,
                updated=updated,
                deleted=deleted,
                seconds=time.monotonic() - start,
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._connection(f"measure {taxi.table}", log) as connection:
            table = taxi.table if role == "main" else latest_month_table(connection, taxi, month)
            if catalog.kind_of(connection, table) is None:
                missing = month_not_loaded if role == "month" else month_not_merged
                raise missing(self._title, "postgres", taxi, month)
            self._add_new_columns(connection, taxi, table, log)
            statement = profile_statement(taxi, DIALECT, month, identifier(table))
            (row,) = connection.execute(statement.encode()).fetchall()
            return read_profile(taxi, DIALECT, row)

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table = taxi.month_table(month)
        with self._exclusive_month(taxi, month, f"remove {month_table}", log) as connection:
            kind = catalog.kind_of(connection, month_table)
            if kind is None:
                raise nothing_to_remove(self._title, taxi, month)
            found = count(connection, month_table) if kind == "partition" else 0
            require_meant_rows(self._title, taxi, month, found=found, meant=rows)
            drop_left_overs(connection, taxi, month)
            if kind != "partition":
                catalog.drop_own(connection, month_table)
                return 0
            catalog.require_own_table(connection, month_table)
            self._change_main(
                connection, taxi, "ACCESS EXCLUSIVE", lambda: drop_partition(connection, taxi, month), log
            )
            return found

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with duckdb.connect() as source, current.unchanged() as landed:
            stage_zones(source, landed, table=ZONES_TABLE)
            names = ", ".join(f"{identifier(c.name)} AS {DIALECT.column(c.name)}" for c in ZONES_COLUMNS)
            rows = source.table(ZONES_TABLE).select(names).to_arrow_table()
            return self.write(ZONES_TABLE, rows, None, description=ZONES_DESCRIPTION, log=log)

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._connection(f"count {ZONES_TABLE}", log) as connection:
            self._require(connection, ZONES_TABLE)
            statement = "SELECT count(*), count(DISTINCT locationid) FROM {}"
            query = sql.SQL(statement).format(sql.Identifier(ZONES_TABLE))
            ((zones, numbers),) = connection.execute(query).fetchall()
            return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with self._connection(f"read {table}", _log) as connection:
            monthly, main = taxi_of_month_asset(table), taxi_of_main_table(table)
            if monthly and not months:
                raise months_are_needed(table)
            tables = [latest_month_table(connection, monthly, m) for m in months or ()] if monthly else [table]
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
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        The connection that holds the lock is watched. The one that sends the rows can't be, because its driver does not
        give its socket away: if only that one is lost, the keepalives alone notice it.
        """
        with self._connection(f"write {table}", log) as connection, self._exclusive(connection, table, log):
            self._create_schema(connection, log)
            catalog.require_own_table(connection, table)
            exists = catalog.kind_of(connection, table) is not None
            return while_connected(
                connection,
                lambda: write_rows(
                    self.conninfo(),
                    self.schema_name,
                    table,
                    rows=rows,
                    months=months,
                    description=description,
                    exists=exists,
                    lock_wait_seconds=self.lock_wait_seconds,
                ),
                every_seconds=self.check_seconds,
            )

    @property
    def _title(self) -> str:
        """The server and database as the subject of a message."""
        return f"PostgreSQL at {self.place}"

    def _require(self, connection: Connection, table: str) -> None:
        if catalog.kind_of(connection, table) is None:
            raise no_such_table(self._title, table)

    @contextmanager
    def _connection(self, action: str, log: logging.Logger) -> Iterator[Connection]:
        """A connection that is watched, and whose errors say which action failed.

        Raises:
            WarehouseError: The server can't be reached, refuses a statement, or is lost meanwhile.
        """
        with (
            self.translated_errors(action),
            self.get_connection() as connection,
            watched(
                connection,
                self.conninfo(),
                self.place,
                every_seconds=self.check_seconds,
                stalled_seconds=self.stalled_seconds,
                log=log,
            ),
        ):
            yield connection

    @contextmanager
    def _exclusive_month(self, taxi: Taxi, month: Month, action: str, log: logging.Logger) -> Iterator[Connection]:
        """A connection that alone writes this month; loads of other months do not wait."""
        with (
            self._connection(action, log) as connection,
            self._exclusive(connection, taxi.month_table(month), log),
        ):
            yield connection

    def _exclusive(self, connection: Connection, name: str, log: logging.Logger) -> AbstractContextManager[None]:
        """Hold the name in the project's schema for the duration of a block."""
        return exclusive(
            connection,
            self.schema_name,
            name,
            wait_seconds=self.lock_wait_seconds,
            abandoned_seconds=self.abandoned_seconds,
            log=log,
        )

    def _create_schema(self, connection: Connection, log: logging.Logger) -> None:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema_name,)).fetchone()
        if not found:
            # Even with IF NOT EXISTS, one of two sessions that create it at the same time would fail.
            with self._exclusive(connection, f"the schema {self.schema_name}", log):
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema_name)))

    def _create_main_table(self, connection: Connection, taxi: Taxi, log: logging.Logger) -> None:
        """Create the main table unless it exists, and make sure that it is ours and has the taxi's columns."""
        if catalog.kind_of(connection, taxi.table) is None:
            with self._exclusive(connection, taxi.table, log), connection.transaction():
                if catalog.kind_of(connection, taxi.table) is None:
                    _create_main_table(connection, taxi)
        catalog.require_own_table(connection, taxi.table)
        self._add_new_columns(connection, taxi, taxi.table, log)
        require_columns(taxi, DIALECT, catalog.column_types(connection, taxi.table))

    def _add_new_columns(self, connection: Connection, taxi: Taxi, table: str, log: logging.Logger) -> None:
        add_new_columns(connection, self.schema_name, taxi, table, wait_seconds=self.lock_wait_seconds, log=log)

    def _change_main(
        self, connection: Connection, taxi: Taxi, mode: str, statements: Callable[[], None], log: logging.Logger
    ) -> None:
        """Change the partitions of the main table, as soon as other sessions allow the lock."""
        in_short_transaction(
            connection, taxi.table, mode, statements=statements, wait_seconds=self.lock_wait_seconds, log=log
        )

    def _add_partition(self, connection: Connection, taxi: Taxi, month: Month, log: logging.Logger) -> int:
        """Make a month's table a partition of the main table, and return its number of rows."""
        table = taxi.month_table(month)
        rows = count(connection, table)
        build_secondary_indexes(connection, taxi, table)
        self._change_main(connection, taxi, "SHARE UPDATE EXCLUSIVE", lambda: attach(connection, taxi, month), log)
        return rows

    def _replace_partition(
        self, connection: Connection, taxi: Taxi, month: Month, log: logging.Logger
    ) -> tuple[int, int, int, int]:
        """Replace the month's partition by the staged month.

        Returns:
            The number of rows, and how many were inserted, updated and deleted.
        """
        old, new = taxi.month_table(month), staging_table(taxi, month)
        values = column_names(taxi, DIALECT, without=KEY)
        statement = render(__package__, "count_changes.sql", old=old, new=new, value_columns=values)
        ((rows, *changes),) = connection.execute(statement.encode()).fetchall()
        if any(changes):
            build_secondary_indexes(connection, taxi, new)

            def swap() -> None:
                drop_partition(connection, taxi, month)
                rename(connection, new, old)
                attach(connection, taxi, month)

            self._change_main(connection, taxi, "ACCESS EXCLUSIVE", swap, log)
        else:
            catalog.drop_own(connection, new)
        inserted, updated, deleted = changes
        return rows, inserted, updated, deleted


def _create_main_table(connection: Connection, taxi: Taxi) -> None:
    columns = table_columns(taxi, DIALECT)
    statement = render(__package__, "create_main_table.sql", taxi=taxi, table=taxi.table, columns=columns, keys=KEY)
    connection.execute(statement.encode())
    catalog.comment_on_table(connection, taxi.table, f"{taxi.title} trips, all months. {taxi.description}")
    for column in columns:
        catalog.comment_on_column(connection, taxi.table, column.name, column.description)
