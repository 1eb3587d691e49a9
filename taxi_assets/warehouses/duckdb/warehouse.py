"""Trips in an embedded DuckDB file.

A month is staged as a table of its own, and merged into the main table by three statements in one transaction. Then its
own name becomes a view of the main table, so that nothing is stored twice.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.transactions import transaction
from taxi_assets.trips.made_from import made_from
from taxi_assets.trips.staging import stage_month
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.duckdb.catalog import (
    column_types,
    comment,
    drop_own,
    kind_of,
    require_own_table,
    single_row,
)
from taxi_assets.warehouses.duckdb.connection import (
    could_not_write,
    disable_checkpoint_on_close,
    is_fatal,
    open_database,
    translated_errors,
)
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.duckdb.loaded_months import is_as_loaded, note_of_load, note_of_merge
from taxi_assets.warehouses.duckdb.new_columns import add_new_columns, create_month_view
from taxi_assets.warehouses.duckdb.tables import read_table, write_table
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, TableRole
from taxi_assets.warehouses.measures import MonthProfile, profile_statement, read_profile
from taxi_assets.warehouses.trip_tables import (
    KEY,
    column_names,
    month_not_loaded,
    month_not_merged,
    no_such_table,
    nothing_to_remove,
    require_columns,
    require_meant_rows,
    staging_table,
    table_columns,
)
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

_log = logging.getLogger(__name__)
# A process works on one month at a time: a load keeps all cores busy, and two would share one memory limit.
_writers: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
# The connections by which sessions keep files open, by the path of the file.
_sessions: dict[str, duckdb.DuckDBPyConnection] = {}


class DuckDBWarehouse(DuckDBResource):
    """The embedded warehouse. Assets can also use it as Dagster's own DuckDB resource, to get a plain connection.

    Unlike those of Dagster's resource, its connections wait while another process has the file open, refuse a file of
    another program, use a limited amount of memory, and are closed after an error.
    """

    memory_limit: str = Field(
        default="256MiB",
        description="Memory that DuckDB may use before it spills to disk.",
    )
    lock_wait_seconds: float = Field(
        default=3600.0,
        description="Seconds to wait while another process has the database open.",
    )

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.database).absolute()

    def connect(self, log: logging.Logger = _log, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        """Open a connection. The caller closes it, or it closes when the last result read from it is garbage-collected.

        Raises:
            WarehouseBusyError: Another process had the file open for longer than ``lock_wait_seconds``.
            WarehouseError: The file can't be opened, is damaged, or belongs to another program.
        """
        # All connections of a process must use the same settings, or DuckDB refuses the second one.
        config = {
            "custom_user_agent": "dagster",
            "memory_limit": self.memory_limit,
            "preserve_insertion_order": False,
            **self.connection_config,
        }
        return open_database(self.path, config, self.lock_wait_seconds, log, read_only=read_only)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for the duration of a ``with`` block, as from Dagster's DuckDBResource."""
        with self._connection(_log) as connection:
            yield connection

    @contextmanager
    def session(self, log: logging.Logger) -> Iterator[None]:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: the file is opened and closed once."""
        key = str(self.path)
        with _writers[key]:
            if key in _sessions:
                yield
                return
            with translated_errors(self.path, "open the database"):
                _sessions[key] = self.connect(log)
            try:
                yield
            finally:
                _sessions.pop(key).close()

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table, staging = taxi.month_table(month), staging_table(taxi, month)
        with ExitStack() as stack, self._exclusive(f"load {table}", log) as connection:
            start = time.monotonic()
            if kind_of(connection, table):
                require_own_table(connection, table)
            drop_own(connection, staging)
            # Only now, so that a load that waited for the file in vain does not wait for it again.
            stack.enter_context(self._dropped_after_failure(staging, log))
            with current.unchanged() as landed:
                source = made_from(taxi, landed)
                if is_as_loaded(connection, taxi, month, source):
                    return MonthLoad.left_out(table, landed.rows, seconds=time.monotonic() - start, log=log)
                rows = stage_month(connection, taxi, month, landed, table=staging)
            with transaction(connection):
                drop_own(connection, table)
                connection.execute(f"ALTER TABLE {identifier(staging)} RENAME TO {identifier(table)}")
                comment(
                    connection, "TABLE", table, f"{taxi.title} trips of {month}, not merged yet{note_of_load(source)}"
                )
            return MonthLoad(rows, seconds=time.monotonic() - start)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table = taxi.month_table(month)
        with self._exclusive(f"merge {month_table} into {taxi.table}", log) as connection:
            start = time.monotonic()
            add_new_columns(connection, taxi)
            inserted = updated = deleted = 0
            match kind_of(connection, month_table):
                case "TABLE":
                    with transaction(connection):
                        inserted, updated, deleted = _merge(connection, taxi, month)
                case "VIEW":
                    log.info(f"{month_table} is already merged into {taxi.table}: there is nothing to do")
                case _:
                    raise month_not_loaded(str(self.path), "duckdb", taxi, month)
            return MonthMerge(
                rows=_rows_of_month(connection, taxi, month),
                table_rows=_count(connection, taxi.table),
                inserted=inserted,
                updated=updated,
                deleted=deleted,
                seconds=time.monotonic() - start,
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month) if role == "month" else taxi.table
        with translated_errors(self.path, f"measure {table}"), self._connection(log) as connection:
            if kind_of(connection, table) is None:
                missing = month_not_loaded if role == "month" else month_not_merged
                raise missing(str(self.path), "duckdb", taxi, month)
            add_new_columns(connection, taxi)
            result = connection.execute(profile_statement(taxi, DIALECT, month, identifier(table)))
            return read_profile(taxi, DIALECT, single_row(result))

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        month_table = taxi.month_table(month)
        with self._exclusive(f"remove {month_table}", log) as connection, transaction(connection):
            if kind_of(connection, month_table) is None:
                raise nothing_to_remove(str(self.path), taxi, month)
            has_main = kind_of(connection, taxi.table) is not None
            found = _rows_of_month(connection, taxi, month) if has_main else 0
            require_meant_rows(str(self.path), taxi, month, found=found, meant=rows)
            drop_own(connection, month_table)
            if not has_main:
                return 0
            require_own_table(connection, taxi.table)
            statement = f'DELETE FROM {identifier(taxi.table)} WHERE "file_month" = $file_month'
            return int(single_row(connection.execute(statement, {"file_month": month.first_day}))[0])

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._exclusive(f"load {ZONES_TABLE}", log) as connection, transaction(connection):
            drop_own(connection, ZONES_TABLE)
            with current.unchanged() as landed:
                rows = stage_zones(connection, landed, table=ZONES_TABLE)
            comment(connection, "TABLE", ZONES_TABLE, ZONES_DESCRIPTION)
        return rows

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with translated_errors(self.path, f"count {ZONES_TABLE}"), self._connection(log) as connection:
            if kind_of(connection, ZONES_TABLE) is None:
                raise no_such_table(str(self.path), ZONES_TABLE)
            statement = f'SELECT count(*), count(DISTINCT "LocationID") FROM {identifier(ZONES_TABLE)}'
            zones, numbers = single_row(connection.execute(statement))
        return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None, log: logging.Logger = _log) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        The database stays open until the relation, and everything derived from it, is garbage-collected.
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
        with self._exclusive(f"write {table}", log) as connection, transaction(connection):
            return write_table(connection, table, rows, months, description)

    @contextmanager
    def _connection(self, log: logging.Logger) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with closing(self.connect(log)) as connection:
                try:
                    yield connection
                except Exception as error:
                    if could_not_write(error):
                        disable_checkpoint_on_close(connection)
                    raise
        except Exception as error:
            if is_fatal(error):
                self._reopen_session(log)
            raise

    @contextmanager
    def _exclusive(self, action: str, log: logging.Logger) -> Iterator[duckdb.DuckDBPyConnection]:
        with _writers[str(self.path)], translated_errors(self.path, action), self._connection(log) as connection:
            yield connection

    def _reopen_session(self, log: logging.Logger) -> None:
        key = str(self.path)
        with _writers[key]:
            session = _sessions.get(key)
            if session is not None:
                session.close()
                _sessions[key] = self.connect(log)

    @contextmanager
    def _dropped_after_failure(self, table: str, log: logging.Logger) -> Iterator[None]:
        """Drop a table of this project if the block fails."""
        try:
            yield
        except BaseException as error:
            # Where nothing can be written, the next load does it.
            if not could_not_write(error):
                with suppress(TaxiAssetsError), self._exclusive(f"drop {table}", log) as connection:
                    drop_own(connection, table)
            raise


def _merge(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> tuple[int, int, int]:
    """Make the main table's slice equal to the monthly table.

    Returns:
        The numbers of rows inserted, updated and deleted.
    """
    month_table = taxi.month_table(month)
    _create_main_table(connection, taxi)
    values: dict[str, Any] = {
        "main": taxi.table,
        "month_table": month_table,
        "all_columns": column_names(taxi, DIALECT),
        "value_columns": column_names(taxi, DIALECT, without=KEY),
    }

    def changed_rows(template: str) -> int:
        result = connection.execute(render(__package__, template, **values), {"file_month": month.first_day})
        return int(single_row(result)[0])

    is_new = _rows_of_month(connection, taxi, month) == 0
    deleted = 0 if is_new else changed_rows("delete_vanished_trips.sql")
    updated = 0 if is_new else changed_rows("update_changed_trips.sql")
    inserted = changed_rows("insert_new_trips.sql")
    note = note_of_merge(connection, taxi, month)
    connection.execute(f"DROP TABLE {identifier(month_table)}")
    create_month_view(connection, taxi, month, note=note)
    return inserted, updated, deleted


def _create_main_table(connection: duckdb.DuckDBPyConnection, taxi: Taxi) -> None:
    """Create the main table unless it exists, and make sure that it is ours and has the taxi's columns."""
    columns = table_columns(taxi, DIALECT)
    if kind_of(connection, taxi.table) is None:
        connection.execute(render(__package__, "create_main_table.sql", taxi=taxi, table=taxi.table, columns=columns))
        comment(connection, "TABLE", taxi.table, f"{taxi.title} trips, all months. {taxi.description}")
        for column in columns:
            comment(connection, "COLUMN", f"{taxi.table}.{column.name}", column.description, prefix="")
    require_own_table(connection, taxi.table)
    require_columns(taxi, DIALECT, column_types(connection, taxi.table))


def _rows_of_month(connection: duckdb.DuckDBPyConnection, taxi: Taxi, month: Month) -> int:
    statement = f'SELECT count(*) FROM {identifier(taxi.table)} WHERE "file_month" = $file_month'
    return int(single_row(connection.execute(statement, {"file_month": month.first_day}))[0])


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(single_row(connection.execute(f"SELECT count(*) FROM {identifier(table)}"))[0])
