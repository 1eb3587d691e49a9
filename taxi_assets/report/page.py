"""The report's page: one HTML file with everything in it."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from taxi_assets.months import Month
from taxi_assets.published import PublishedCount
from taxi_assets.report.figures import Plot
from taxi_assets.report.summary import Summary, TaxiSummary
from taxi_assets.report.svg import to_svg


@dataclass(frozen=True)
class Fact:
    """One line of the table that shows taxis beside one another: a value for each taxi."""

    title: str
    values: Sequence[str]


@dataclass(frozen=True)
class Count:
    """One line of the table of published counts."""

    month: Month
    taxi: str
    rows: int
    published: PublishedCount | None


def page(
    summary: Summary, plots: Sequence[Plot], *, warehouse: str, month: Month | None, others: Sequence[Path]
) -> str:
    """The page as HTML.

    Args:
        summary: What it says in numbers.
        plots: What it shows.
        warehouse: The warehouse's name as people say it.
        month: The month that it is about, or None for all.
        others: Other pages in the same folder to link to.
    """
    first, last = summary.months[0], summary.months[-1]
    period = _in_words(first) if first == last else f"{_in_words(first)} to {_in_words(last)}"
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=f"{_joined([taxi.taxi.title for taxi in summary.taxis])} trips, {period}",
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
    facts = [
        Fact("trips", [f"{taxi.total.trips:,}" for taxi in taxis]),
        Fact("months", [f"{len(taxi.rows):,}" for taxi in taxis]),
        Fact("trips per day", [f"{taxi.total.trips / len(taxi.calendar):,.0f}" for taxi in taxis]),
    ]
    if any(taxi.has_money for taxi in taxis):
        facts += [
            Fact("revenue (US dollars)", [f"{taxi.total.revenue:,.2f}" for taxi in taxis]),
            Fact("tips (US dollars)", [f"{taxi.total.tips:,.2f}" for taxi in taxis]),
            Fact("mean fare (US dollars)*", [_mean(float(taxi.typical.fare), taxi) for taxi in taxis]),
        ]
    return [
        *facts,
        Fact("mean distance (miles)*", [_mean(float(taxi.typical.miles), taxi) for taxi in taxis]),
        Fact("mean duration (minutes)*", [_mean(taxi.typical.seconds / 60, taxi) for taxi in taxis]),
        Fact("zones with pickups", [f"{len(taxi.zones):,}" for taxi in taxis]),
        Fact(
            "rows with problems",
            [f"{sum(taxi.rows_with_problems.values()) / taxi.total.trips:.2%}" for taxi in taxis],
        ),
    ]


def _problems(taxis: Sequence[TaxiSummary]) -> list[Fact]:
    """Rows of each taxi with each problem that any of them has, the most frequent first."""
    total: Counter[str] = Counter()
    for taxi in taxis:
        total.update(taxi.problems)
    return [Fact(title, [f"{taxi.problems.get(title, 0):,}" for taxi in taxis]) for title, _ in total.most_common()]


def _mean(total: float, taxi: TaxiSummary) -> str:
    return f"{total / taxi.typical.trips:,.2f}" if taxi.typical.trips else "none"


def _counts(summary: Summary) -> list[Count]:
    counts = [
        Count(month, taxi.taxi.name, rows, taxi.published.get(month))
        for taxi in summary.taxis
        for month, rows in taxi.rows.items()
    ]
    return sorted(counts, key=lambda count: (count.month, count.taxi))


def _in_words(month: Month) -> str:
    return f"{calendar.month_name[month.number]} {month.year}"


def _joined(names: Sequence[str]) -> str:
    return " and ".join([name if place == 0 else name[0].lower() + name[1:] for place, name in enumerate(names)])


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
