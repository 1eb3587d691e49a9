"""The report of a subject: lines that are compared with a goal, tables with details, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Figure


@dataclass(frozen=True)
class Line:
    """One line of the table of goals.

    Attributes:
        what: What was measured.
        figure: The result, with its unit.
        goal: The goal; empty if there is none.
        is_met: Whether the goal is met; None if there is none.
    """

    what: str
    figure: str
    goal: str = ""
    is_met: bool | None = None

    @property
    def verdict(self) -> str:
        """The last column."""
        return {True: "met", False: "**missed**", None: ""}[self.is_met]


@dataclass(frozen=True)
class Details:
    """A table that explains a figure."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """The section of the page about one subject.

    Attributes:
        title: Its heading.
        how: How it was measured, and what is not included in the figures.
        lines: The results.
        details: Tables that explain them.
    """

    title: str
    how: str
    lines: Sequence[Line]
    details: Sequence[Details] = field(default=())


def at_most(limit: float, what: str, figure: Figure, *, unit: str = "", digits: int = 2) -> Line:
    """A line whose median must not exceed a limit; the unrounded median decides."""
    return Line(what, figure.text(unit, digits), f"≤ {limit:,g}{unit}", figure.median <= limit)


def at_least(limit: float, what: str, figure: Figure, *, unit: str = "", digits: int = 2) -> Line:
    """A line whose median must reach a limit; the unrounded median decides."""
    return Line(what, figure.text(unit, digits), f"≥ {limit:,g}{unit}", figure.median >= limit)
