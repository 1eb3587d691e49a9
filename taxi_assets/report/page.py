"""The report's page: one HTML file that contains everything it needs."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from taxi_assets.months import Month
from taxi_assets.published import PublishedCount
from taxi_assets.report.figures import Plot
from taxi_assets.report.summary import Summary, TaxiSummary
from taxi_assets.report.svg import to_svg
from taxi_assets.words import listed

_UNKNOWN: Final = "n/a"


@dataclass(frozen=True)
class Fact:
    """One row of a table that compares taxis: a value for each taxi."""

    title: str
    values: Sequence[str]


@dataclass(frozen=True)
class Count:
    """One row of the table of published counts."""

    month: Month
    taxi: str
    rows: int
    published: PublishedCount | None


def page(
    summary: Summary, plots: Sequence[Plot], *, warehouse: str, month: Month | None, others: Sequence[Path]
) -> str:
    """The page as HTML.

    Args:
        summary: The numbers.
        plots: The figures.
        warehouse: The warehouse's name as people say it.
        month: The month that the page is about, or None for all months.
        others: Other pages in the same folder to link to.
    """
    first, last = summary.months[0], summary.months[-1]
    period = _in_words(first) if first == last else f"{_in_words(first)} to {_in_words(last)}"
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=f"{_titles(summary.taxis)} trips, {period}",
            is_month=month is not None,
            warehouse=warehouse,
            summary=summary,
            facts=_facts(summary.taxis),
            problems=_problems(summary.taxis),
            counts=_counts(summary),
            figures={plot.name: (plot, Markup(to_svg(plot))) for plot in plots},  # noqa: S704 - our own drawing
            others=others,
        )
    )


def _facts(taxis: Sequence[TaxiSummary]) -> list[Fact]:
    """What can be said of the taxis; an amount only where the trips of any of them have it."""
    facts = [
        ("", "trips", [f"{taxi.total.trips:,}" for taxi in taxis]),
        ("", "months", [f"{len(taxi.rows):,}" for taxi in taxis]),
        ("", "trips per day", [f"{taxi.total.trips / len(taxi.calendar):,.0f}" for taxi in taxis]),
        ("total", "revenue (US dollars)", [f"{taxi.total.revenue:,.2f}" for taxi in taxis]),
        ("tip", "tips (US dollars)", [f"{taxi.total.tips:,.2f}" for taxi in taxis]),
        ("fare", "mean fare (US dollars)*", [_number(taxi.typical.fares.mean) for taxi in taxis]),
        ("distance", "mean distance (miles)*", [_number(taxi.typical.distances.mean) for taxi in taxis]),
        ("dropoff", "mean duration (minutes)*", [_number(taxi.typical.durations.mean, per=60) for taxi in taxis]),
        ("pickup_zone", "zones with pickups", [f"{len(taxi.zones):,}" for taxi in taxis]),
        (
            "",
            "rows with problems",
            [f"{sum(taxi.rows_with_problems.values()) / taxi.total.trips:.2%}" for taxi in taxis],
        ),
    ]
    return [
        Fact(
            title,
            [
                value if not meaning or taxi.has(meaning) else _UNKNOWN
                for taxi, value in zip(taxis, values, strict=True)
            ],
        )
        for meaning, title, values in facts
        if not meaning or any(taxi.has(meaning) for taxi in taxis)
    ]


def _problems(taxis: Sequence[TaxiSummary]) -> list[Fact]:
    """Rows of each taxi with each problem that any of them has, the most frequent first."""
    total: Counter[str] = Counter()
    for taxi in taxis:
        total.update(taxi.problems)
    return [Fact(title, [f"{taxi.problems.get(title, 0):,}" for taxi in taxis]) for title, _ in total.most_common()]


def _number(number: float | None, *, per: int = 1) -> str:
    return _UNKNOWN if number is None else f"{number / per:,.2f}"


def _counts(summary: Summary) -> list[Count]:
    counts = [
        Count(month, taxi.taxi.name, rows, taxi.published.get(month))
        for taxi in summary.taxis
        for month, rows in taxi.rows.items()
    ]
    return sorted(counts, key=lambda count: (count.month, count.taxi))


def _in_words(month: Month) -> str:
    return f"{calendar.month_name[month.number]} {month.year}"


def _titles(taxis: Sequence[TaxiSummary]) -> str:
    """The taxis' titles as one: ``Green taxi and yellow taxi``."""
    first, *others = [taxi.taxi.title for taxi in taxis]
    # A capital that another one follows begins an abbreviation.
    return listed([first, *(title if title[:2].isupper() else title[0].lower() + title[1:] for title in others)])


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
