"""What a subject reports: lines that are held against a goal, tables with details, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Figure


@dataclass(frozen=True)
class Line:
    """One line of the table of goals.

    Attributes:
        what: What was measured.
        figure: What came out, with its unit.
        goal: What was aimed at; empty where the figure stands for itself.
        is_met: Whether the goal is met; None where there is none.
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
    """All about one subject.

    Attributes:
        title: Its heading.
        how: In plain words, how it was measured and what is not in the figures.
        lines: What came out.
        details: Tables that explain it.
    """

    title: str
    how: str
    lines: Sequence[Line]
    details: Sequence[Details] = field(default=())


def at_most(limit: float, what: str, figure: Figure, *, unit: str = "", digits: int = 2) -> Line:
    """A line whose median must not exceed a limit; the verdict follows the median as it was measured, unrounded."""
    return Line(what, figure.text(unit, digits), f"≤ {limit:,g}{unit}", figure.median <= limit)


def at_least(limit: float, what: str, figure: Figure, *, unit: str = "", digits: int = 2) -> Line:
    """A line whose median must reach a limit."""
    return Line(what, figure.text(unit, digits), f"≥ {limit:,g}{unit}", figure.median >= limit)
