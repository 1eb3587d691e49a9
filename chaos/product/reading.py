"""The strict readers of Parquet as calls of a process, which a damaged file can end."""

from __future__ import annotations

from pathlib import Path

from chaos.strict.parquet_tables import READERS, StrictTable, UnreadableError


def read_table(library: str, path: Path) -> StrictTable | str:
    """The table that a library reads, or why it can't be read."""
    try:
        return READERS[library](path)
    except UnreadableError as error:
        return str(error)
