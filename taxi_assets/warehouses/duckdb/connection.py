"""Opens the DuckDB file: waits while another process has it open, and refuses a file of another program."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import duckdb

from taxi_assets.errors import DamagedFileError, TaxiAssetsError, WarehouseError, WarehouseUnavailableError
from taxi_assets.files import keep_new_files_private, make_private_folder
from taxi_assets.interruptions import interruptions
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.waiting import InUse, wait_for
from taxi_assets.words import first_line

_HELD_BY = re.compile(r"Conflicting lock is held in (.*?)\. ")
# If threads open the same file at once while another process has it, DuckDB loses track of its own instances.
_connecting: Final = threading.Lock()
_NO_ROOM: Final = ("No space left", "Disk quota exceeded", "File too large")
_DAMAGED: Final = ("Corrupt database file", "does not match block checksum", "computed checksum")

REBUILD: Final = "run the job rebuild_duckdb, which creates it again from the landing zone"
"""The remedy for a damaged file."""


def open_database(
    path: Path, config: Mapping[str, Any], wait_seconds: float, log: logging.Logger, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open the database. Wait while another process has it open, because DuckDB lets only one process write.

    Args:
        path: The file, which is created if it is missing.
        config: DuckDB's settings.
        wait_seconds: Seconds to wait for another process.
        log: The log for messages about waiting.
        read_only: Whether to open it only for reading; other processes can then read it too, but not write.

    Raises:
        WarehouseBusyError: Another process had it open for longer than ``wait_seconds``.
        WarehouseError: It can't be opened, is damaged, or belongs to another program.
    """
    try:
        make_private_folder(path.parent)
    except OSError as error:
        raise WarehouseError(
            f"The folder {path.parent} for the DuckDB warehouse can't be created ({error.strerror}): "
            "set TAXI_HOME to a folder that can be written."
        ) from error
    keep_new_files_private()
    with suppress(OSError):  # there is seldom one, and it may be another user's
        path.with_name(f"{path.name}.wal").chmod(0o600)
    connection = _wait_and_connect(path, config, wait_seconds, log, read_only=read_only)
    try:
        # A progress bar would fill the log of a service with control characters.
        connection.execute("SET enable_progress_bar = false")
        _require_own_database(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _wait_and_connect(
    path: Path, config: Mapping[str, Any], wait_seconds: float, log: logging.Logger, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    def connect() -> duckdb.DuckDBPyConnection:
        try:
            with _connecting:
                return duckdb.connect(path, read_only=read_only, config=dict(config))
        except duckdb.Error as error:
            holder = _holder(error)
            if holder is None:
                raise _cannot_open(path, error) from error
            raise InUse(holder) from error

    return wait_for(
        connect,
        what=str(path),
        log=log,
        pause_seconds=0.1,
        timeout_seconds=wait_seconds,
        silent_seconds=1.0,
        remedy="close it, or raise lock_wait_seconds of the resource duckdb",
    )


def _holder(error: duckdb.Error) -> str | None:
    """What has the file open, for messages; None if the error has another cause."""
    if isinstance(error, duckdb.ResourceInUseException):
        # DuckDB raises this for a moment while another thread closes the file.
        return "another thread of this process"
    if "Could not set lock" not in str(error):
        return None
    holder = _HELD_BY.search(str(error))
    return holder[1] if holder else "another process"


def _cannot_open(path: Path, error: duckdb.Error) -> WarehouseError:
    cause = first_line(error)
    if isinstance(error, duckdb.ConnectionException):
        return WarehouseError(
            f"{path} is open in this process with other settings ({cause}): close that connection, or give it the "
            "settings of the DuckDB resource, then run again."
        )
    if path.is_file():
        return WarehouseError(
            f"{path} can't be opened as a DuckDB database, because it is damaged or another kind of file ({cause}): "
            f"{REBUILD}."
        )
    return WarehouseError(f"{path} can't be created ({cause}): set TAXI_HOME to a folder that can be written.")


def _require_own_database(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make sure that the database is empty or has a table of this project.

    Raises:
        WarehouseError: It has only tables that this project did not create.
    """
    tables = connection.execute(
        """
        SELECT "table_name", coalesce(starts_with("comment", $prefix), false)
        FROM (
            SELECT "table_name", "comment" FROM duckdb_tables()
            UNION ALL
            SELECT "view_name", "comment" FROM duckdb_views() WHERE NOT "internal"
        )
        """,
        {"prefix": COMMENT_PREFIX},
    ).fetchall()
    if tables and not any(ours for _, ours in tables):
        names = ", ".join(sorted(name for name, _ in tables)[:3])
        raise WarehouseError(
            f"{path} is a DuckDB database that this project did not create (it contains {names}): "
            "nothing was changed; set TAXI_HOME to another folder or move the file away."
        )


def could_not_write(error: BaseException) -> bool:
    """Whether DuckDB failed because a file could not be written, be the error DuckDB's or one that explains it."""
    if isinstance(error, DamagedFileError):
        return False  # DuckDB has the same class of errors for a raw file that it can't read
    return any(
        isinstance(each, duckdb.IOException)
        or (isinstance(each, duckdb.Error) and any(words in str(each) for words in _NO_ROOM))
        for each in (error, error.__cause__)
    )


def is_fatal(error: BaseException) -> bool:
    """Whether all connections of this process to the file are unusable until all of them are closed."""
    return any(isinstance(each, duckdb.FatalException) for each in (error, error.__cause__))


def disable_checkpoint_on_close(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB close the file without a checkpoint; what was committed is in the write-ahead log.

    A checkpoint overwrites the file's metadata in place. Where the disk takes only a part of that, as one that was
    full a moment ago may, the file is damaged.
    """
    with suppress(duckdb.Error):
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")


@contextmanager
def translated_errors(path: Path, action: str) -> Iterator[None]:
    """Translate DuckDB's errors into one sentence: what could not be done, where, and what to do.

    Raises:
        WarehouseError: What went wrong in the block.
        KeyboardInterrupt: Ctrl-C ended a statement.
    """
    try:
        with interruptions():
            yield
    except TaxiAssetsError:
        raise
    except duckdb.Error as error:
        cause, text = first_line(error), str(error)
        problem = WarehouseError
        if isinstance(error, duckdb.OutOfMemoryException) or any(words in text for words in _NO_ROOM):
            remedy = "make room on that disk, or raise the DuckDB resource's memory_limit, then run again"
        elif any(words in text for words in _DAMAGED):
            remedy = f"the file is damaged; {REBUILD}"
        elif isinstance(error, duckdb.FatalException):
            problem, remedy = WarehouseUnavailableError, "the database was closed and is opened again; run again"
        else:
            remedy = "the warehouse is unchanged; run again"
        raise problem(f"DuckDB could not {action} in {path} ({cause}): {remedy}.") from error
