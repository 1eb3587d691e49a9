"""The differences in SQL between warehouses, for statements that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from taxi_assets.sql import STANDARD, Quoting, render
from taxi_assets.taxis import Kind


def _unchanged(name: str) -> str:
    return name


@dataclass(frozen=True)
class Dialect:
    """One warehouse's way of writing SQL.

    Attributes:
        column_types: Its type for each kind of column.
        id_type: Its type for ``unique_row_id``.
        id_number: The first 60 bits of ``unique_row_id`` as a number whose sum over a month can't overflow.
        timestamp_type: Its type for a date and time without a time zone.
        one_day_later: Returns the expression for the moment 24 hours after another.
        quoting: How it quotes names and texts.
        spelling: Returns its spelling of a column's name. PostgreSQL folds unquoted names to lower case.
    """

    column_types: Mapping[Kind, str]
    id_type: str
    id_number: str
    timestamp_type: str = "TIMESTAMP"
    one_day_later: Callable[[str], str] = "{} + INTERVAL '24' HOUR".format
    quoting: Quoting = field(default=STANDARD)
    spelling: Callable[[str], str] = _unchanged

    def column(self, name: str) -> str:
        """A column's name, quoted."""
        return self.quoting.identifier(self.spelling(name))

    def day(self, day: date) -> str:
        """A day as a constant, by which the planner finds the partition or the few blocks that contain it."""
        return f"DATE {self.quoting.literal(day.isoformat())}"

    def midnight(self, day: date) -> str:
        """The first moment of a day as a constant."""
        return f"{self.timestamp_type} {self.quoting.literal(f'{day.isoformat()} 00:00:00')}"

    def render(self, package: str, template: str, **values: Any) -> str:
        """Render a template of ``package`` with this warehouse's quoting."""
        return render(package, template, self.quoting, **values)
