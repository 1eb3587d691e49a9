"""Trips in a folder of Parquet files.

A month is one file, which is written beside the tables and then takes its name. Merging a month moves its file from the
monthly table's folder to the main table's, so it costs the same whatever the main table's size. Readers need no lock:
they find the old file or the new one.
"""

import filecmp
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from pydantic import Field

from taxi_assets import settings
from taxi_assets.errors import SettingsError
from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi
from taxi_assets.trips.staging import stage_month
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, TableRole
from taxi_assets.warehouses.lake.engine import reading_engine, translated_errors, writing_engine
from taxi_assets.warehouses.lake.folder import LakeFolder
from taxi_assets.warehouses.lake.parquet import ParquetFile, read_own, write_parquet
from taxi_assets.warehouses.lake.tables import as_pattern, month_file, read_table, stage_rows, trips_query
from taxi_assets.warehouses.measures import MonthProfile, profile_statement, read_profile
from taxi_assets.warehouses.trip_tables import (
    KEY,
    column_names,
    month_not_loaded,
    month_not_merged,
    nothing_to_remove,
    require_meant_rows,
)
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

_log = logging.getLogger(__name__)
# A process works on one month at a time: a load keeps all cores busy, and two would need twice the memory.
_working = threading.RLock()
_NOT_IN_FILES = ("file_month",)
"""Columns that readers find in the names of folders, as Hive's do, and BigQuery refuses to find in files too."""


class LakeWarehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A folder of Parquet files, which other programs read at any time."""

    address: str = Field(description="The folder.")
    memory_limit: str = Field(
        default="256MiB",
        description="Memory that DuckDB may use before it spills to disk.",
    )
    lock_wait_seconds: float = Field(
        default=3600.0,
        description="Seconds to wait while another process writes the same month.",
    )

    @property
    def folder(self) -> LakeFolder:
        """The folder.

        Raises:
            SettingsError: The address is not one of a folder.
        """
        if "://" in self.address:
            raise SettingsError(
                f"{settings.LAKE} is “{self.address}”, but the lake can only be in a folder of this machine: set it to "
                "one, or to yes for the folder lake in TAXI_HOME."
            )
        return LakeFolder(Path(self.address).expanduser().absolute())

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: nothing is costly to open."""
        return nullcontext()

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        file = self.folder.file(taxi.month_asset, month, name=taxi.table)
        with self._exclusive_month(taxi, month, "load", log) as drafts:
            start = time.monotonic()
            _own_if_any(file)
            draft = drafts / file.name
            with writing_engine(self.memory_limit) as engine:
                with current.unchanged() as landed:
                    rows = stage_month(engine, taxi, month, landed, table="trips")
                columns = column_names(taxi, DIALECT, without=_NOT_IN_FILES)
                query = render(__package__, "sorted_month.sql", columns=columns, table="trips", pickup=taxi.pickup)
                description = f"{taxi.title} trips of {month}. {taxi.description}"
                write_parquet(engine, query, draft, rows=rows, description=description)
            size = draft.stat().st_size
            self.folder.publish(draft, file)
            return MonthLoad(rows, seconds=time.monotonic() - start, facts=_facts(file, size))

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        folder = self.folder
        loaded = folder.file(taxi.month_asset, month, name=taxi.table)
        merged = folder.file(taxi.table, month)
        with self._exclusive_month(taxi, month, "merge", log):
            start = time.monotonic()
            new, old = _own_if_any(loaded), _own_if_any(merged)
            others = sum(read_own(folder.file(taxi.table, m)).rows for m in folder.months(taxi.table) if m != month)
            inserted = updated = deleted = 0
            if new is None and old is None:
                raise month_not_loaded(self._place, "lake", taxi, month)
            if new is None:
                log.info(f"{taxi.month_table(month)} is already merged into {taxi.table}: there is nothing to do")
            elif old is None:
                inserted = new.rows
                folder.publish(loaded, merged)
            else:
                if not filecmp.cmp(loaded, merged, shallow=False):
                    inserted, updated, deleted = self._count_changes(taxi, new=loaded, old=merged)
                if inserted or updated or deleted or not new.schema.equals(old.schema):
                    folder.publish(loaded, merged)
                else:
                    new = None  # the file stays that is there
            folder.remove(loaded)
            rows = (new or old).rows  # type: ignore[union-attr]
            return MonthMerge(
                rows=rows,
                table_rows=others + rows,
                inserted=inserted,
                updated=updated,
                deleted=deleted,
                seconds=time.monotonic() - start,
                facts=_facts(merged, merged.stat().st_size),
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._translated_errors(f"measure {month} of {taxi.table}"), _working:
            if role == "month":
                month_file(self.folder, taxi, month)
            elif not self.folder.exists(taxi.table):
                raise month_not_merged(self._place, "lake", taxi, month)
            with reading_engine(self.memory_limit) as engine:
                table = taxi.month_asset if role == "month" else taxi.table
                read_table(engine, self.folder, table, [month]).create_view("trips")
                result = engine.execute(profile_statement(taxi, DIALECT, month, identifier("trips")))
                (row,) = result.fetchall()
                return read_profile(taxi, DIALECT, row)

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        loaded = self.folder.file(taxi.month_asset, month, name=taxi.table)
        merged = self.folder.file(taxi.table, month)
        if not loaded.exists() and not merged.exists():
            raise nothing_to_remove(self._place, taxi, month)
        with self._exclusive_month(taxi, month, "remove", log):
            new, old = _own_if_any(loaded), _own_if_any(merged)
            if new is None and old is None:
                raise nothing_to_remove(self._place, taxi, month)
            found = old.rows if old else 0
            require_meant_rows(self._place, taxi, month, found=found, meant=rows)
            # In this order, because a run that is killed in between leaves a month that can be removed or merged.
            self.folder.remove(merged)
            self.folder.remove(loaded)
            return found

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        file = self.folder.file(ZONES_TABLE)
        with self._exclusive(ZONES_TABLE, f"load {ZONES_TABLE}", log) as drafts:
            _own_if_any(file)
            with writing_engine(self.memory_limit) as engine, current.unchanged() as landed:
                rows = stage_zones(engine, landed, table=ZONES_TABLE)
                query = f"FROM {identifier(ZONES_TABLE)}"
                write_parquet(engine, query, drafts / file.name, rows=rows, description=ZONES_DESCRIPTION)
            self.folder.publish(drafts / file.name, file)
            return rows

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._translated_errors(f"count {ZONES_TABLE}"):
            relation = self.read(ZONES_TABLE, None)
            ((zones, numbers),) = relation.aggregate('count(*), count(DISTINCT "LocationID")').fetchall()
            return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        The relation holds up nobody. Each reading of it finds the files that are there by then.
        """
        with self._translated_errors(f"read {table}"):
            return read_table(reading_engine(self.memory_limit), self.folder, table, months)

    def write(
        self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str, log: logging.Logger = _log
    ) -> int:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        Several months take their names one after the other, each as a whole.
        """
        folder = self.folder
        with self._exclusive(table, f"write {table}", log) as drafts:
            kept = [folder.file(table), *(folder.file(table, month) for month in folder.months(table))]
            for file in kept:
                _own_if_any(file)
            with writing_engine(self.memory_limit) as engine:
                written, files = stage_rows(engine, table, rows, months, description=description, drafts=drafts)
            for month, draft in files.items():
                folder.publish(draft, folder.file(table, month))
            # What the table was before: one file, or months.
            for file in kept[:1] if months is not None else kept[1:]:
                folder.remove(file)
            return written

    @property
    def _place(self) -> str:
        return f"The lake in {self.folder.path}"

    def _translated_errors(self, action: str) -> AbstractContextManager[None]:
        return translated_errors(self.folder.path, action)

    def _exclusive_month(
        self, taxi: Taxi, month: Month, action: str, log: logging.Logger
    ) -> AbstractContextManager[Path]:
        return self._exclusive(f"{taxi.table}_{month}", f"{action} {taxi.month_table(month)}", log)

    @contextmanager
    def _exclusive(self, name: str, action: str, log: logging.Logger) -> Iterator[Path]:
        """Be the only one who writes what ``name`` stands for, with a folder for drafts."""
        folder = self.folder
        # The lock comes first, so that waiting for another process holds up no other month of this one.
        with (
            self._translated_errors(action),
            folder.exclusive(name, wait_seconds=self.lock_wait_seconds, log=log) as drafts,
            _working,
        ):
            yield drafts

    def _count_changes(self, taxi: Taxi, *, new: Path, old: Path) -> tuple[int, int, int]:
        """How many rows of a month were inserted, updated and deleted."""
        with writing_engine(self.memory_limit) as engine:
            statement = render(
                __package__,
                "count_changes.sql",
                new=trips_query(engine, taxi, [as_pattern(new)]),
                old=trips_query(engine, taxi, [as_pattern(old)]),
                value_columns=column_names(taxi, DIALECT, without=KEY),
            )
            ((inserted, updated, deleted),) = engine.execute(statement).fetchall()
        return inserted, updated, deleted


def _own_if_any(file: Path) -> ParquetFile | None:
    """What the end of a file says; None if there is no such file.

    Raises:
        WarehouseError: It is damaged, or this project did not write it.
    """
    try:
        return read_own(file)
    except FileNotFoundError:
        return None


def _facts(file: Path, size: int) -> Mapping[str, Any]:
    return {"parquet file": dg.MetadataValue.path(str(file)), "parquet size (bytes)": size}
