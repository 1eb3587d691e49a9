"""Creates the embedded warehouse again from the landing zone, if its file is damaged or lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from taxi_assets.errors import LandingError, NotLandedError, WarehouseBusyError, WarehouseError
from taxi_assets.files import flush_to_disk
from taxi_assets.months import Month, last_ended_month, months_from
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.raw_files import RawFile, feed_file, trip_file, zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild.

    Attributes:
        months: Number of months that were loaded, of all taxis.
        rows: Number of trips in them.
        left_out: Months whose raw file is no longer in the landing zone, as ``green 2019-01``.
        other_tables: Tables of the old file that are not in the new one, such as dbt's models and the user's own.
        kept: Path at which the old file is kept; None if there was no old file.
    """

    months: int
    rows: int
    left_out: Sequence[str]
    other_tables: Sequence[str]
    kept: Path | None


def rebuild(warehouse: DuckDBWarehouse, source: TripSource, log: logging.Logger) -> Rebuilt:
    """Load every landed month into a new file, check it, and replace the old file by it.

    The old file is kept beside the new one under another name, because it may contain tables of the user. If the old
    file can still be opened, loads that begin in the meantime wait.

    Raises:
        LandingError: No month has landed here, or a file was changed since, or the landing zone can't be read.
        WarehouseError: A month can't be loaded, or its rows in the new file are not those of its raw file.
        WarehouseBusyError: Another process had the old file open for too long, or has created or changed a file there.
    """
    landed, left_out = _landed_months(source)
    if not landed:
        raise LandingError("No month has landed here, so nothing can be loaded: materialize months instead.")
    new = warehouse.path.with_name(f".{warehouse.path.name}.rebuilding")
    _remove(new)
    target = warehouse.model_copy(update={"database": str(new)})
    with ExitStack() as stack:
        found = _identity(warehouse.path)
        old = _open_old_file(warehouse, stack, log)
        rows = 0
        try:
            for number, (taxi, month, file) in enumerate(landed, start=1):
                rows += _load(target, taxi, month, source.current(file), log)
                log.info(f"{taxi.name} {month}: {number:,} of {len(landed):,} months, {rows:,} rows")
            _load_zones(target, source, log)
            with target.get_connection() as connection:
                other_tables = sorted(_tables(old) - _tables(connection)) if old else []
                connection.execute("CHECKPOINT")
            flush_to_disk(new)
            kept = _put_in_place(new, warehouse.path, found)
        except BaseException:
            _remove(new)
            raise
    return Rebuilt(len(landed), rows, left_out, other_tables, kept)


def _landed_months(source: TripSource) -> tuple[Sequence[tuple[Taxi, Month, RawFile]], Sequence[str]]:
    """Every month whose raw file is in the landing zone, from whatever source, and those that were purged."""
    zone, last = source.landing_zone(), last_ended_month(datetime.now(UTC))
    found: list[tuple[Taxi, Month, RawFile]] = []
    left_out = []
    for taxi in all_taxis().values():
        for month in months_from(taxi.first_feed_month, last):
            # If a month has landed from two sources, the file that the source has now comes first.
            wanted = source.trip_file(taxi, month)
            files = [wanted, *(file for file in (trip_file(taxi, month), feed_file(taxi, month)) if file != wanted)]
            noted = [file for file in files if zone.known(file) is not None]
            for file in noted:
                with suppress(NotLandedError):
                    zone.landed(file)
                    found.append((taxi, month, file))
                    break
            else:
                left_out += [f"{taxi.name} {month}"] if noted else []
    return found, left_out


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes if another process creates, replaces or writes the file; None if there is no file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _open_old_file(
    warehouse: DuckDBWarehouse, stack: ExitStack, log: logging.Logger
) -> duckdb.DuckDBPyConnection | None:
    """Keep the old file open for reading, if possible, so that other processes can't write to it in the meantime."""
    if not warehouse.path.exists():
        return None
    try:
        old = warehouse.connect(log, read_only=True)
    except WarehouseBusyError:
        raise
    except WarehouseError as error:
        log.warning(f"The old file can't be read: {error}")
        return None
    stack.callback(old.close)
    return old


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute('SELECT "table_schema" || \'.\' || "table_name" FROM information_schema."tables"')
    return {name for (name,) in rows.fetchall()}


def _load(target: DuckDBWarehouse, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> int:
    current.read_by(lambda current: target.load_month(taxi, month, current, log), log)
    file = current.last
    assert file is not None  # noqa: S101
    merge = target.merge_month(taxi, month, log)
    profile = target.profile_month(taxi, month, "main", log)
    if not merge.rows == profile.rows == file.rows or profile.repeated_ids:
        raise WarehouseError(
            f"{file.path} has {file.rows:,} rows, but the new file has {profile.rows:,} of them, with "
            f"{profile.repeated_ids:,} repeated ids: the old file was not replaced; report this, as it is a defect."
        )
    return profile.rows


def _load_zones(target: DuckDBWarehouse, source: TripSource, log: logging.Logger) -> None:
    current = source.current(zones_file())
    try:
        current.read_by(lambda current: target.replace_zones(current, log), log)
    except NotLandedError:
        log.warning("The taxi zones have not landed here, so they are not in the new file: materialize them.")


def _put_in_place(new: Path, path: Path, found: tuple[int, int, int] | None) -> Path | None:
    """Give the new file its final name, and return the path at which the old file is kept.

    Args:
        new: The new file.
        path: Its final name.
        found: What ``_identity`` returned for ``path`` before the rebuild.

    Raises:
        WarehouseBusyError: Another process has created or changed the file at ``path`` since.
    """
    if _identity(path) != found:
        raise WarehouseBusyError(
            f"{path} was created or changed by another process during the rebuild: it was not replaced; run the job "
            "again when nothing else is running."
        )
    kept = None
    if path.exists():
        kept = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        _keep(path, kept)
        wal = path.with_name(f"{path.name}.wal")
        if wal.exists():
            wal.replace(kept.with_name(f"{kept.name}.wal"))
    new.replace(path)
    flush_to_disk(path.parent)
    return kept


def _keep(path: Path, kept: Path) -> None:
    """Give a file a second name; if the file system has no links, rename it instead."""
    try:
        os.link(path, kept)
    except OSError:
        path.replace(kept)


def _remove(new: Path) -> None:
    for file in (new, new.with_name(f"{new.name}.wal")):
        file.unlink(missing_ok=True)
