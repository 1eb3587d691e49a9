"""The columns of a taxi's files, as its TOML file states them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TAXIS = Path(__file__).resolve().parents[2] / "taxi_assets" / "taxis"


@dataclass(frozen=True)
class StrictColumn:
    """One column.

    Attributes:
        name: Its name.
        kind: ``integer``, ``decimal``, ``timestamp`` or ``text``.
        is_in_release: Whether the release's files have it; the others may be missing in the feed's too.
    """

    name: str
    kind: str
    is_in_release: bool


@dataclass(frozen=True)
class StrictTaxi:
    """One taxi.

    Attributes:
        name: Its name.
        columns: The columns of its tables, in their order.
        identity: Names of the columns that a trip's id is made of, in their order.
    """

    name: str
    columns: tuple[StrictColumn, ...]
    identity: tuple[str, ...]

    @property
    def release_columns(self) -> tuple[StrictColumn, ...]:
        """The columns that the release's files have."""
        return tuple(column for column in self.columns if column.is_in_release)


@cache
def strict_taxi(name: str) -> StrictTaxi:
    """The taxi of that name."""
    facts = tomllib.loads((TAXIS / f"{name}.toml").read_text(encoding="utf-8"))
    columns = tuple(
        StrictColumn(column["name"], column["kind"], not column.get("only_in_feed", False))
        for column in facts["columns"]
    )
    return StrictTaxi(name, columns, tuple(facts["identity"]))
