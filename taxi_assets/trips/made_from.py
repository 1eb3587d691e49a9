"""Says in a few characters what a month's rows are made from, so that a load that would change nothing is known."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import render
from taxi_assets.taxis import Taxi
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.trips.reading import select_statement

_DIGITS: Final = 32


def made_from(taxi: Taxi, landed: LandedFile) -> str:
    """Digest of a landed file and of the statements that make rows of it: where it is the same, the rows are the same.

    Returns:
        32 hexadecimal digits. A new version of the project, or another definition of the taxi, may give others.
    """
    statement, _ = select_statement(taxi, landed)
    names: dict[str, Any] = {"taxi": taxi, "table": "month", "comment": "", "column_types": COLUMN_TYPES}
    parts = [
        landed.sha256,
        landed.filename,
        statement,
        render(__package__, "create_month_table.sql", **names),
        render(__package__, "number_repeated_ids.sql", **names),
    ]
    return sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
