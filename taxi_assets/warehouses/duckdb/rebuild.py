"""Makes the embedded warehouse again from the landing zone, for a file that is damaged or lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from taxi_assets.errors import LandingError, WarehouseBusyError, WarehouseError
from taxi_assets.files import flush_to_disk
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_taxi
from taxi_assets.source.files import LandedFile, feed_file, trip_file, zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild came to.

    Attributes:
        months: How many months of all taxis were loaded.
        rows: How many trips these have.
        left_out: Months whose raw file is no longer in the landing zone, as ``green 2019-01``.
        other_tables: Tables of the old file that the new one does not have, such as dbt's models and your own.
        kept: Where the file is that was there before; None where there was none.
    """

    months: int
    rows: int
    left_out: Sequence[str]
    other_tables: Sequence[str]
    kept: Path | None


def rebuild(warehouse: DuckDBWarehouse, source: TripSource, log: logging.Logger) -> Rebuilt:
    """Load every month that has landed into a new file, check it, and put it in the old file's place.

    The old file stays beside the new one under another name: it may hold tables of your own. Loads that begin
    meanwhile wait, where the old file can still be opened.

    Raises:
        LandingError: No month has landed here.
        WarehouseError: A month can't be loaded, or has other rows in the new file than in its raw file.
        WarehouseBusyError: Another process held the old file for too long.
    """
    landed, left_out = _landed_months(source)
    if not landed:
        raise LandingError("No month has landed here, so nothing can be made again: materialize months instead.")
    new = warehouse.path.with_name(f".{warehouse.path.name}.rebuilding")
    _remove(new)
    target = DuckDBWarehouse(database=str(new), memory_limit=warehouse.memory_limit)
    with ExitStack() as stack:
        old = _open_old_file(warehouse, stack, log)
        rows = 0
        try:
            for number, (taxi, month, file) in enumerate(landed, start=1):
                rows += _load(target, taxi, month, file, log)
                log.info(f"{taxi.name} {month}: {number:,} of {len(landed):,} months, {rows:,} rows")
            _load_zones(target, source, log)
            with target.get_connection() as connection:
                other_tables = sorted(_tables(old) - _tables(connection)) if old else []
                connection.execute("CHECKPOINT")
            flush_to_disk(new)
            kept = _put_in_place(new, warehouse.path)
        except BaseException:
            _remove(new)
            raise
    return Rebuilt(len(landed), rows, left_out, other_tables, kept)


def _landed_months(source: TripSource) -> tuple[Sequence[tuple[Taxi, Month, LandedFile]], Sequence[str]]:
    """Every month whose raw file is in the landing zone, and those of which only the note is left."""
    zone, now = source.landing_zone(), datetime.now(UTC)
    found: list[tuple[Taxi, Month, LandedFile]] = []
    left_out = []
    for taxi in all_taxis().values():
        for month in months_of_taxi(taxi, now):
            # The source's own file comes first, where a month has landed from two sources.
            wanted = source.trip_file(taxi, month)
            files = [wanted, *(file for file in (trip_file(taxi, month), feed_file(taxi, month)) if file != wanted)]
            noted = [file for file in files if zone.known(file) is not None]
            for file in noted:
                try:
                    found.append((taxi, month, zone.landed(file)))
                    break
                except LandingError:
                    continue
            else:
                left_out += [f"{taxi.name} {month}"] if noted else []
    return found, left_out


def _open_old_file(
    warehouse: DuckDBWarehouse, stack: ExitStack, log: logging.Logger
) -> duckdb.DuckDBPyConnection | None:
    """Hold the old file open for reading, where that is possible, so that others can't write to it meanwhile."""
    if not warehouse.path.exists():
        return None
    try:
        old = warehouse.connect(log, read_only=True)
    except WarehouseBusyError:
        raise
    except WarehouseError as error:
        log.warning(f"The file that is replaced can't be read: {error}")
        return None
    stack.callback(old.close)
    return old


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute('SELECT "table_schema" || \'.\' || "table_name" FROM information_schema."tables"')
    return {name for (name,) in rows.fetchall()}


def _load(target: DuckDBWarehouse, taxi: Taxi, month: Month, file: LandedFile, log: logging.Logger) -> int:
    target.load_month(taxi, month, file, log)
    merge = target.merge_month(taxi, month, log)
    profile = target.profile_month(taxi, month, "main", log)
    if not merge.rows == profile.rows == file.rows or profile.repeated_ids:
        raise WarehouseError(
            f"{file.path} has {file.rows:,} rows, but {profile.rows:,} with {profile.repeated_ids:,} repeated ids are "
            "in the new file: the old one was left in its place; report this, as it should not happen."
        )
    return profile.rows


def _load_zones(target: DuckDBWarehouse, source: TripSource, log: logging.Logger) -> None:
    try:
        zones = source.landing_zone().landed(zones_file())
    except LandingError:
        log.warning("The taxi zones have not landed here, and are not in the new file: materialize them.")
        return
    target.replace_zones(zones, log)


def _put_in_place(new: Path, path: Path) -> Path | None:
    """Give the new file its name, and return the one that the old file has now."""
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
    """Give a file a second name; where the file system has no links, another name."""
    try:
        os.link(path, kept)
    except OSError:
        path.replace(kept)


def _remove(new: Path) -> None:
    for file in (new, new.with_name(f"{new.name}.wal")):
        file.unlink(missing_ok=True)
