"""The report's page: one HTML file that contains everything it needs."""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import jinja2
from markupsafe import Markup

from taxi_assets.months import Month, month_ranges, ranges_in_words, title_of_range
from taxi_assets.published import PublishedCount
from taxi_assets.report.figures import Plot
from taxi_assets.report.numbers import written
from taxi_assets.report.summary import Summary, TaxiSummary
from taxi_assets.report.svg import to_svg
from taxi_assets.words import listed

_UNKNOWN: Final = "n/a"
_MONTHS: Final = re.compile('data-months="([^"]*)"')
_LINKS: Final = re.compile("<!-- links -->.*?<!-- /links -->", re.DOTALL)


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
    is_sample: bool

    @property
    def difference(self) -> str:
        """By how much the warehouse has more rows than were published, with a sign; empty if that is not known."""
        if self.published is None:
            return ""
        difference = self.rows - self.published.rows
        return written(difference, "+,") if difference else "0"


def page(summary: Summary, plots: Sequence[Plot], *, warehouse: str, month: Month | None) -> str:
    """The page as HTML, with an empty place for ``with_links``.

    Args:
        summary: The numbers.
        plots: The figures.
        warehouse: The warehouse's name as people say it.
        month: The month that the page is about, or None for all months.
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
            sample=sample_in_words(summary),
            figures={plot.name: (plot, Markup(to_svg(plot))) for plot in plots},  # noqa: S704 - our own drawing
        )
    )


@dataclass(frozen=True)
class Link:
    """A page that others link to.

    Attributes:
        month: The month that it is about, or None for all months.
        file: Its file's name.
        title: What it is about.
        stale_since: When the trips changed that it does not contain; empty if it contains all.
        renewal: What to materialize to renew it.
    """

    month: Month | None
    file: str
    title: str
    stale_since: str
    renewal: str


def with_links(page: str, link: Link, pages: Sequence[Link], *, month_report: str) -> str:
    """A page with these links in place of the ones it has, and with a notice if it is out of date.

    Args:
        page: The page as HTML.
        link: The page itself as others link to it.
        pages: All pages, itself included, in the order in which it names them.
        month_report: The asset to materialize for the page of a month that has none yet.
    """
    text = _MONTHS.search(page)
    reported = {other.month for other in pages}
    missing = [month for month in map(Month.parse, text[1].split() if text else []) if month not in reported]
    links = (
        _templates()
        .get_template("links.html")
        .render(
            link=link,
            pages=pages,
            missing=listed([title_of_range(months) for months in month_ranges(missing)]) if missing else "",
            month_report=month_report,
        )
    )
    return _LINKS.sub(lambda _: links, page, count=1)


def _facts(taxis: Sequence[TaxiSummary]) -> list[Fact]:
    """What can be said of the taxis; an amount only where the trips of any of them have it."""
    facts = [
        ("", "trips", [f"{taxi.total.trips:,}" for taxi in taxis]),
        ("", "months", [f"{len(taxi.rows):,}" for taxi in taxis]),
        ("", "trips per day", [f"{taxi.total.trips / len(taxi.calendar):,.0f}" for taxi in taxis]),
        ("total", "revenue (US dollars)", [written(taxi.total.revenue, ",.2f") for taxi in taxis]),
        ("tip", "tips (US dollars)", [written(taxi.total.tips, ",.2f") for taxi in taxis]),
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
    return _UNKNOWN if number is None else written(number / per, ",.2f")


def _counts(summary: Summary) -> list[Count]:
    counts = [
        Count(month, taxi.taxi.name, rows, taxi.published.get(month), is_sample=month in taxi.sample)
        for taxi in summary.taxis
        for month, rows in taxi.rows.items()
    ]
    return sorted(counts, key=lambda count: (count.month, count.taxi))


def sample_in_words(summary: Summary) -> str:
    """Which trips of a page are made up; empty if none are."""
    found = {taxi.taxi.title: taxi.sample for taxi in summary.taxis if taxi.sample}
    if not found:
        return ""
    if all(taxi.sample == taxi.rows.keys() for taxi in summary.taxis):
        return "Sample data: this project made all of these trips up. They say nothing about New York."
    months = [f"{title} {ranges_in_words(sample)}" for title, sample in found.items()]
    return f"Partly sample data: this project made the trips of some months up ({'; '.join(months)})."


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
