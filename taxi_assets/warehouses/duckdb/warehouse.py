"""Trips in an embedded DuckDB file.

A month is staged as a table of its own and merged into the main table by three statements in one transaction; then
its own name becomes a view of the main table, so that nothing is stored twice.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.transactions import transaction
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.trips.staging import stage_month
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.duckdb.catalog import comment, drop_own, kind_of, require_own_table, single_row
from taxi_assets.warehouses.duckdb.columns import ID_TYPE
from taxi_assets.warehouses.duckdb.connection import open_database, translated_errors
from taxi_assets.warehouses.duckdb.new_columns import add_new_columns, create_month_view
from taxi_assets.warehouses.duckdb.tables import read_table, write_table
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, MonthProfile, TableRole, table_columns
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

_log = logging.getLogger(__name__)
# One month at a time in this process: a load keeps all cores busy, and two would share one memory limit.
_loading: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


class DuckDBWarehouse(DuckDBResource):
    """The embedded warehouse, and Dagster's own DuckDB resource for assets that want a plain connection.

    Unlike the library's, its connections wait while another process has the file, refuse a file that is not ours,
    are bounded in memory, and are closed after an error too.
    """

    memory_limit: str = Field(
        default="256MiB",
        description="Memory that DuckDB may use before it spills to disk.",
    )
    lock_wait_seconds: float = Field(
        default=3600.0,
        description="How long to wait for another process that has the database open.",
    )

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.database).absolute()

    def connect(self, log: logging.Logger = _log) -> duckdb.DuckDBPyConnection:
        """Open a connection that the caller closes, or that closes when the last result read from it is gone.

        Raises:
            WarehouseBusyError: Another process held the file for longer than ``lock_wait_seconds``.
            WarehouseError: The file can't be opened, is damaged, or is not ours.
        """
        # All connections of a process must ask for the same settings, or DuckDB refuses the second one.
        config = {
            "custom_user_agent": "dagster",
            "memory_limit": self.memory_limit,
            "preserve_insertion_order": False,
            **self.connection_config,
        }
        return open_database(self.path, config, self.lock_wait_seconds, log)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for the length of a ``with`` block, as Dagster's DuckDBResource gives it."""
        with self._connection(_log) as connection:
            yield connection

    @contextmanager
    def session(self, log: logging.Logger) -> Iterator[None]:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: the file is opened and closed once."""
        with self._loading("open the database", log):
            yield

    def load_month(self, taxi: Taxi, month: Month, landed: LandedFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month)
        with self._loading(f"load {table}", log) as connection:
            start = time.monotonic()
            coming = f"{table}_coming"
            if kind_of(connection, table):
                require_own_table(connection, table)
            drop_own(connection, coming)
            try:
                rows = stage_month(connection, taxi, month, landed, table=coming)
                with transaction(connection):
                    drop_own(connection, table)
                    connection.execute(f"ALTER TABLE {identifier(coming)} RENAME TO {identifier(table)}")
                    comment(connection, "TABLE", table, f"{taxi.title} trips of {month}, not merged yet.")
            except BaseException:
                # After a full disk even this may fail: the next load does it, and the first error is the one to see.
                with suppress(duckdb.Error):
                    drop_own(connection, coming)
                raise
            return MonthLoad(rows, time.monotonic() - start)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table = taxi.month_table(month)
        with self._loading(f"merge {month_table} into {taxi.table}", log) as connection:
            start = time.monotonic()
            add_new_columns(connection, taxi)
            match kind_of(connection, month_table):
                case "TABLE":
                    with transaction(connection):
                        merge = _merge(connection, taxi, month)
                    return replace(merge, seconds=time.monotonic() - start)
                case "VIEW":
                    return MonthMerge(_rows_of_month(connection, taxi, month), inserted=0, updated=0, deleted=0)
                case _:
                    raise WarehouseError(
                        f"{self.path} has no table {month_table}: "
                        f"materialize duckdb/{taxi.table}_month for {month} first."
                    )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month) if role == "month" else taxi.table
        with translated_errors(self.path, f"measure {table}"), self._connection(log) as connection:
            if kind_of(connection, table) is None:
                raise WarehouseError(f"{self.path} has no table {table}: materialize {month} of {taxi.table} first.")
            add_new_columns(connection, taxi)
            statement = render(__package__, "profile_month.sql", taxi=taxi, table=table)
            profile = connection.execute(statement, {"file_month": month.first_day})
            names = [column[0] for column in profile.description]
            return MonthProfile.from_row(dict(zip(names, single_row(profile), strict=True)))

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table = taxi.month_table(month)
        with self._loading(f"remove {month_table}", log) as connection, transaction(connection):
            if kind_of(connection, month_table) is None:
                raise WarehouseError(f"{self.path} has no {month_table}: there is nothing to remove.")
            drop_own(connection, month_table)
            if kind_of(connection, taxi.table) is None:
                return 0
            require_own_table(connection, taxi.table)
            statement = f'DELETE FROM {identifier(taxi.table)} WHERE "file_month" = $file_month'
            return int(single_row(connection.execute(statement, {"file_month": month.first_day}))[0])

    def replace_zones(self, landed: LandedFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._loading(f"load {ZONES_TABLE}", log) as connection, transaction(connection):
            drop_own(connection, ZONES_TABLE)
            rows = stage_zones(connection, landed, table=ZONES_TABLE)
            comment(connection, "TABLE", ZONES_TABLE, ZONES_DESCRIPTION)
        return rows

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with translated_errors(self.path, f"count {ZONES_TABLE}"), self._connection(log) as connection:
            if kind_of(connection, ZONES_TABLE) is None:
                raise WarehouseError(f"{self.path} has no table {ZONES_TABLE}: materialize duckdb/{ZONES_TABLE} first.")
            statement = f'SELECT count(*), count(DISTINCT "LocationID") FROM {identifier(ZONES_TABLE)}'
            zones, numbers = single_row(connection.execute(statement))
        return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None, log: logging.Logger = _log) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        The database stays open until the relation, and whatever was made from it, is gone.
        """
        with translated_errors(self.path, f"read {table}"):
            connection = self.connect(log)
            taxi = taxi_of_main_table(table) or taxi_of_month_asset(table)
            if taxi is not None:
                add_new_columns(connection, taxi)
            return read_table(connection, table, months)

    def write(
        self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str, log: logging.Logger = _log
    ) -> int:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with self._loading(f"write {table}", log) as connection, transaction(connection):
            return write_table(connection, table, rows, months, description)

    @contextmanager
    def _connection(self, log: logging.Logger) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self.connect(log)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _loading(self, action: str, log: logging.Logger) -> Iterator[duckdb.DuckDBPyConnection]:
        with _loading[str(self.path)], translated_errors(self.path, action), self._connection(log) as connection:
            yield connection


def _merge(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> MonthMerge:
    month_table = taxi.month_table(month)
    _create_main_table(connection, taxi)
    columns = [name for name, _, _ in table_columns(taxi, ID_TYPE, COLUMN_TYPES)]
    names = {
        "taxi": taxi,
        "main": taxi.table,
        "month_table": month_table,
        "all_columns": columns,
        "value_columns": [name for name in columns if name not in {"unique_row_id", "file_month"}],
    }

    def changed_rows(statement: str) -> int:
        result = connection.execute(render(__package__, statement, **names), {"file_month": month.first_day})
        return int(single_row(result)[0])

    is_new = _rows_of_month(connection, taxi, month) == 0
    deleted = 0 if is_new else changed_rows("delete_vanished_trips.sql")
    updated = 0 if is_new else changed_rows("update_changed_trips.sql")
    inserted = changed_rows("insert_new_trips.sql")
    rows = _rows_of_month(connection, taxi, month)
    connection.execute(f"DROP TABLE {identifier(month_table)}")
    create_month_view(connection, taxi, month)
    return MonthMerge(rows, inserted=inserted, updated=updated, deleted=deleted)


def _create_main_table(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> None:
    """Create the main table unless it is there, and make sure that it is ours and has the taxi's columns."""
    columns = table_columns(taxi, ID_TYPE, COLUMN_TYPES)
    if kind_of(connection, taxi.table) is None:
        connection.execute(render(__package__, "create_main_table.sql", taxi=taxi, table=taxi.table, columns=columns))
        comment(connection, "TABLE", taxi.table, f"{taxi.title} trips, all months. {taxi.description}")
        for name, _, description in columns:
            comment(connection, "COLUMN", f"{taxi.table}.{name}", description, prefix="")
    require_own_table(connection, taxi.table)
    types = dict(
        connection.execute(
            'SELECT "column_name", "data_type" FROM duckdb_columns() WHERE "table_name" = $table',
            {"table": taxi.table},
        ).fetchall()
    )
    wrong = [name for name, type_name, _ in columns if types.get(name) != type_name.replace(", ", ",")]
    if wrong:
        raise WarehouseError(
            f"The table {taxi.table} lacks the column {wrong[0]} or keeps it with another type: "
            "rename that table, and the next run makes a new one."
        )


def _rows_of_month(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> int:
    statement = f'SELECT count(*) FROM {identifier(taxi.table)} WHERE "file_month" = $file_month'
    return int(single_row(connection.execute(statement, {"file_month": month.first_day}))[0])
