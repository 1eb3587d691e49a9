"""Trips in a folder of Parquet files, one per month.

A month is written to a draft. Loading it makes a version of the monthly table that has the draft, and merging it one of
the main table that has the same file, which costs the same whatever the main table's size. Readers need no lock: they
find the version before or the one after.
"""

import filecmp
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import dagster as dg
import duckdb
from pydantic import Field

from taxi_assets import settings
from taxi_assets.errors import SettingsError, WarehouseError
from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.sql import identifier, render
from taxi_assets.taxis import Taxi
from taxi_assets.trips.staging import stage_month
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, TableRole
from taxi_assets.warehouses.lake.engine import reading_engine, translated_errors, writing_engine
from taxi_assets.warehouses.lake.folder import Files, LakeFolder
from taxi_assets.warehouses.lake.parquet import read_footer, write_parquet
from taxi_assets.warehouses.lake.tables import read_table, stage_rows, trips_query
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
_NOT_IN_FILES: Final = ("file_month",)
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

    keep_seconds: float = Field(
        default=86_400.0,
        description="Seconds that replaced files stay for those who read them.",
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
        path = Path(self.address).expanduser().absolute()
        return LakeFolder(path, wait_seconds=self.lock_wait_seconds, keep_seconds=self.keep_seconds)

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: nothing is costly to open."""
        return nullcontext()

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        folder = self.folder
        with self._exclusive_month(taxi, month, "load", log) as drafts:
            start = time.monotonic()
            folder.latest(taxi.month_asset)  # before the work, in case that it is somebody else's
            draft = drafts / f"{taxi.table}_{month}.parquet"
            with writing_engine(self.memory_limit) as engine:
                with current.unchanged() as landed:
                    rows = stage_month(engine, taxi, month, landed, table="trips")
                columns = column_names(taxi, DIALECT, without=_NOT_IN_FILES)
                query = render(__package__, "sorted_month.sql", columns=columns, table="trips", pickup=taxi.pickup)
                description = f"{taxi.title} trips of {month}. {taxi.description}"
                write_parquet(engine, query, draft, rows=rows, description=description)
            file = folder.finish(draft)
            merged = _files(folder, taxi.table).get(month)
            if merged is not None and filecmp.cmp(file, merged, shallow=False):
                file = merged  # nothing is stored twice
            folder.commit(taxi.month_asset, {month: file}, log)
            return MonthLoad(rows, seconds=time.monotonic() - start, facts=_facts(file))

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        folder = self.folder
        with self._exclusive_month(taxi, month, "merge", log):
            start = time.monotonic()
            loaded, merged = _files(folder, taxi.month_asset), _files(folder, taxi.table)
            new, old = loaded.get(month), merged.get(month)
            kept = new or old
            if kept is None:
                raise month_not_loaded(self._place, "lake", taxi, month)
            footers = {file: read_footer(file) for file in (new, *merged.values()) if file is not None}
            changes = (0, 0, 0)
            if new is None:
                log.info(f"{taxi.month_table(month)} is already merged into {taxi.table}: there is nothing to do")
            elif old is None:
                changes = (footers[new].num_rows, 0, 0)
            else:
                changes = self._count_changes(taxi, new=new, old=old)
                if not any(changes) and footers[new].schema.equals(footers[old].schema):
                    kept = old
            if kept != old:
                folder.commit(taxi.table, {month: kept}, log)
            folder.commit(taxi.month_asset, {month: None}, log)
            inserted, updated, deleted = changes
            others = sum(footers[file].num_rows for each, file in merged.items() if each != month)
            return MonthMerge(
                rows=footers[kept].num_rows,
                table_rows=others + footers[kept].num_rows,
                inserted=inserted,
                updated=updated,
                deleted=deleted,
                seconds=time.monotonic() - start,
                facts=_facts(kept),
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._translated_errors(f"measure {month} of {taxi.table}"), _working:
            if role == "main" and not _files(self.folder, taxi.table):
                raise month_not_merged(self._place, "lake", taxi, month)
            table = taxi.month_asset if role == "month" else taxi.table
            with reading_engine(self.memory_limit) as engine:
                read_table(engine, self.folder, table, [month]).create_view("trips")
                result = engine.execute(profile_statement(taxi, DIALECT, month, identifier("trips")))
                (row,) = result.fetchall()
                return read_profile(taxi, DIALECT, row)

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        folder = self.folder
        with self._exclusive_month(taxi, month, "remove", log):
            merged = _files(folder, taxi.table).get(month)
            if merged is None and month not in _files(folder, taxi.month_asset):
                raise nothing_to_remove(self._place, taxi, month)
            # A damaged file is removed too, if no certain one is meant.
            found = 0 if merged is None else _rows(merged, if_damaged=None if rows else 0)
            require_meant_rows(self._place, taxi, month, found=found, meant=rows)
            # In this order, because a run that is killed in between leaves a month that can be removed or merged.
            folder.commit(taxi.table, {month: None}, log)
            folder.commit(taxi.month_asset, {month: None}, log)
            return found

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        folder = self.folder
        with self._exclusive(ZONES_TABLE, f"load {ZONES_TABLE}", log) as drafts:
            draft = drafts / f"{ZONES_TABLE}.parquet"
            with writing_engine(self.memory_limit) as engine, current.unchanged() as landed:
                rows = stage_zones(engine, landed, table=ZONES_TABLE)
                query = f"FROM {identifier(ZONES_TABLE)}"
                write_parquet(engine, query, draft, rows=rows, description=ZONES_DESCRIPTION)
            folder.commit(ZONES_TABLE, {None: folder.finish(draft)}, log)
            return rows

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self._translated_errors(f"count {ZONES_TABLE}"):
            relation = self.read(ZONES_TABLE, None)
            ((zones, numbers),) = relation.aggregate('count(*), count(DISTINCT "LocationID")').fetchall()
            return zones, numbers

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`.

        The relation holds up nobody. It reads the version that is the latest now, for at least ``keep_seconds``.
        """
        with self._translated_errors(f"read {table}"):
            return read_table(reading_engine(self.memory_limit), self.folder, table, months)

    def write(
        self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str, log: logging.Logger = _log
    ) -> int:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        folder = self.folder
        with self._exclusive(table, f"write {table}", log) as drafts:
            kept = _files(folder, table)
            with writing_engine(self.memory_limit) as engine:
                written, files = stage_rows(engine, table, rows, months, description=description, drafts=drafts)
            # What the table was before goes: all that it had, or the one file of a table that had no months.
            gone = dict.fromkeys(kept if months is None else {None})
            folder.commit(table, {**gone, **{month: folder.finish(file) for month, file in files.items()}}, log)
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
        # The lock comes first, so that waiting for another process holds up no other month of this one.
        with self._translated_errors(action), self.folder.exclusive(name, log) as drafts, _working:
            yield drafts

    def _count_changes(self, taxi: Taxi, *, new: Path, old: Path) -> tuple[int, int, int]:
        """How many rows of a month were inserted, updated and deleted."""
        if new.samefile(old):
            return 0, 0, 0
        with writing_engine(self.memory_limit) as engine:
            statement = render(
                __package__,
                "count_changes.sql",
                new=trips_query(engine, taxi, [new]),
                old=trips_query(engine, taxi, [old]),
                value_columns=column_names(taxi, DIALECT, without=KEY),
            )
            ((inserted, updated, deleted),) = engine.execute(statement).fetchall()
        return inserted, updated, deleted


def _files(folder: LakeFolder, table: str) -> Files:
    latest = folder.latest(table)
    return latest.files if latest else {}


def _rows(file: Path, *, if_damaged: int | None) -> int:
    try:
        return int(read_footer(file).num_rows)
    except WarehouseError:
        if if_damaged is None:
            raise
        return if_damaged


def _facts(file: Path) -> Mapping[str, Any]:
    return {"parquet file": file.name, "parquet size (bytes)": file.stat().st_size}
