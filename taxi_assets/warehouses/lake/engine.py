"""DuckDB as the lake's engine: connections of bounded memory, and its errors as sentences."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from taxi_assets.errors import TaxiAssetsError, WarehouseError
from taxi_assets.interruptions import interruptions
from taxi_assets.spill import spill_folder
from taxi_assets.words import first_line

_NO_ROOM: Final = ("No space left", "Disk quota exceeded", "File too large", "Out of Memory")


@contextmanager
def writing_engine(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database of its own, which is on disk, because a month may be larger than the memory."""
    with spill_folder() as spill, duckdb.connect(spill / "lake.duckdb", config=_config(memory_limit, spill)) as engine:
        engine.execute("SET enable_progress_bar = false")
        yield engine


def reading_engine(memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A connection that reads files, and is closed when the last relation over it is garbage-collected."""
    # DuckDB makes this folder when it needs it and removes it. Its own choice is one in the working directory.
    spill = Path(tempfile.gettempdir()) / f"taxi_assets_lake_{uuid.uuid4().hex[:12]}"
    engine = duckdb.connect(config=_config(memory_limit, spill))
    engine.execute("SET enable_progress_bar = false")
    return engine


def _config(memory_limit: str, spill: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {"memory_limit": memory_limit, "preserve_insertion_order": False, "temp_directory": str(spill)}


@contextmanager
def translated_errors(folder: Path, action: str) -> Iterator[None]:
    """Translate errors of the disk, of DuckDB and of Arrow into a sentence: what could not be done, where, what to do.

    Raises:
        WarehouseError: What went wrong in the block.
        KeyboardInterrupt: Ctrl-C ended a statement.
    """
    try:
        with interruptions():
            yield
    except TaxiAssetsError:
        raise
    except (OSError, duckdb.Error, pa.ArrowException) as error:
        cause = first_line(error)
        remedy = "the lake is unchanged; check that it is a folder you may write to, then run again"
        if any(words in str(error) for words in _NO_ROOM):
            remedy = (
                "the lake is unchanged; make room there and in the folder for temporary files, or raise memory_limit "
                "of the resource lake, then run again"
            )
        raise WarehouseError(f"The lake in {folder} could not {action} ({cause}): {remedy}.") from error
