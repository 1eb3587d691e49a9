"""Ctrl-C during a statement of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def interruptions() -> Iterator[None]:
    """Raise KeyboardInterrupt if Ctrl-C ends a statement; DuckDB raises an error or a RuntimeError of its own instead.

    Raises:
        KeyboardInterrupt: A statement was interrupted.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
