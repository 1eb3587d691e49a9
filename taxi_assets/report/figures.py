"""Draws the report's figures. Importing it imports matplotlib, so it is imported only where something is drawn.

A figure is as wide as a phone's screen, so that its text stays legible there. It has a panel for each taxi, because the
numbers of one may be invisible on another's scale. Each figure is also described in words.
"""

from __future__ import annotations

import calendar
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from taxi_assets.months import Month, months_from
from taxi_assets.report.numbers import written
from taxi_assets.report.summary import Summary, TaxiSummary

INK: Final = "#1b1f24"
"""Color of text and axes; a page in a dark theme replaces it."""
GRID: Final = "#c9ced6"
"""Color of grid lines, which a dark theme replaces too."""

_WIDTH: Final = 5.2  # inches, 374 points
_ZONES: Final = 10
_PROBLEMS: Final = 8
_LABEL_LETTERS: Final = 30
_MONTHS_OF_A_YEAR: Final = 12
_DAYS_OF_A_WEEK: Final = 7
_MIDDLE_OF_WEEK: Final = 3.5  # days after its Monday
_MIDDLE_OF_MONTH: Final = 15.0  # days after its first
_DATES: Final = 5
_MONTHS_BETWEEN_DATES: Final = (1, 2, 3, 4, 6, 12, 24, 48, 96, 192)
_ENOUGH_FOR_WHOLE_NUMBERS: Final = 4
_LINE_STYLES: Final = ("-", "--", ":", "-.")
_STYLE: Final[Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    **{f"{name}.color": INK for name in ("text", "xtick", "ytick")},
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
}


@dataclass(frozen=True)
class Plot:
    """A figure and its texts.

    Attributes:
        name: Its name in ids of the page.
        title: What it is about.
        description: What it shows, for readers who can't see it.
        note: What a reader has to know about it; may be empty.
        figure: The drawing.
    """

    name: str
    title: str
    description: str
    note: str
    figure: Figure


def draw(summary: Summary) -> list[Plot]:
    """Every figure of a page, in the order of the page, as far as the taxis have the columns that it needs."""
    with mpl.rc_context(_STYLE):
        plots = [_hours_of_the_day(summary), _trips_per_day(summary)]
        if summary.taxis_with("total"):
            plots.append(_money_per_week(summary))
        if summary.taxis_with("pickup_zone"):
            plots.append(_busiest_zones(summary))
        plots += [_hours_by_weekday(summary), _problems(summary)]
        if not summary.is_of_one_month:
            plots.append(_problems_by_month(summary))
        if any(taxi.published for taxi in summary.taxis):
            plots.append(_published(summary))
        return plots


def _hours_of_the_day(summary: Summary) -> Plot:
    figure, (axes,) = _panels(1, height=2.9)
    peaks = []
    for taxi, style in zip(summary.taxis, _cycled(_LINE_STYLES), strict=False):
        trips = [sum(taxi.hours.get((weekday, hour), 0) for weekday in range(1, 8)) for hour in range(24)]
        shares = np.array(trips) / max(sum(trips), 1)
        axes.plot(range(24), shares, style, color=taxi.taxi.color, label=taxi.taxi.title)
        peaks.append(f"{taxi.taxi.title}: busiest {_hour(int(shares.argmax()))}, with {shares.max():.1%} of trips")
    axes.set(xlabel="pickup hour", ylabel="share of trips", xlim=(-0.5, 23.5), xticks=range(0, 24, 3))
    _from_zero(axes, _percent())
    figure.legend(loc="outside upper left", ncols=2)
    return Plot(
        "hours_of_the_day",
        "Trips by hour of the day",
        f"A line per taxi over 24 hours. {_sentences(peaks)}",
        "Shares of each taxi's trips rather than counts, so that taxis can be compared."
        if len(summary.taxis) > 1
        else "",
        figure,
    )


def _trips_per_day(summary: Summary) -> Plot:
    figure, panels = _panels(len(summary.taxis), height=1.9)
    facts = []
    for axes, taxi in zip(panels, summary.taxis, strict=True):
        days = taxi.calendar
        trips = [taxi.days[day].trips if day in taxi.days else 0 for day in days]
        if summary.is_of_one_month:
            weekend = [
                taxi.taxi.color if day.weekday() >= calendar.SATURDAY else _pale(taxi.taxi.color) for day in days
            ]
            axes.bar([day.day for day in days], trips, color=weekend, width=0.8)
            axes.set(xlim=(0.3, len(days) + 0.7), xticks=range(1, len(days) + 1, 4))
        else:
            _plot_with_gaps(axes, days, trips, color=taxi.taxi.color)
            _date_axis(axes, summary)
        axes.set_ylabel("trips per day")
        _from_zero(axes, _count(), whole=True)
        axes.set_title(taxi.taxi.title)
        low, high = min(trips), max(trips)
        facts.append(
            f"{taxi.taxi.title}: from {low:,} trips on {_day(days[trips.index(low)])} "
            f"to {high:,} on {_day(days[trips.index(high)])}"
        )
    panels[-1].set_xlabel("day of the month" if summary.is_of_one_month else "pickup date")
    outside = sum(taxi.outside_month for taxi in summary.taxis)
    notes = ["Weekends are darker."] if summary.is_of_one_month else []
    if outside:
        notes.append(f"Trips with a pickup outside their file's month are left out ({outside:,}).")
    return Plot(
        "trips_per_day",
        "Trips per day",
        f"A panel per taxi. {_sentences(facts)}",
        " ".join(notes),
        figure,
    )


def _money_per_week(summary: Summary) -> Plot:
    taxis = summary.taxis_with("total")
    figure, panels = _panels(len(taxis), height=2.1)
    facts = []
    for axes, taxi in zip(panels, taxis, strict=True):
        weeks = taxi.weeks
        revenue, tips = ([float(getattr(week, name)) for week in weeks.values()] for name in ("revenue", "tips"))
        if summary.is_of_one_month:
            places, width = [float(number) for number in range(len(weeks))], 0.7
            axes.set_xticks(places, [f"{monday:%-d %b}" for monday in weeks])
        else:
            places, width = [number + _MIDDLE_OF_WEEK for number in _numbers(list(weeks))], 5.5
            _date_axis(axes, summary, whole_weeks=True)
        axes.bar(places, revenue, width, color=_pale(taxi.taxi.color), label="revenue")
        if taxi.has("tip"):
            axes.bar(places, tips, width, color=taxi.taxi.color, label="of which tips")
        axes.set_ylabel("US dollars per week")
        _from_zero(axes, _count(), whole=True)
        axes.set_title(taxi.taxi.title)
        _legend(axes)
        share = taxi.total.tips / taxi.total.revenue if taxi.total.revenue else 0
        tipped = f", {share:.1%} of it tips" if taxi.has("tip") else ""
        facts.append(f"{taxi.taxi.title}: ${taxi.total.revenue:,.0f} in total{tipped}")
    panels[-1].set_xlabel("week starting on Monday")
    return Plot(
        "revenue_and_tips_per_week",
        "Revenue and tips per week",
        f"Bars per week, with tips as a part of revenue. {_sentences(facts)}",
        "Revenue is what passengers were charged, less refunds. Tips are recorded only if they were paid by card. The "
        "first and the last week may be incomplete.",
        figure,
    )


def _busiest_zones(summary: Summary) -> Plot:
    taxis = summary.taxis_with("pickup_zone")
    figure, panels = _panels(len(taxis), height=2.7)
    facts = []
    for axes, taxi in zip(panels, taxis, strict=True):
        busiest = sorted(taxi.zones.items(), key=lambda zone: (-zone[1], zone[0]))[:_ZONES]
        names = [_zone_name(summary, number) for number, _ in busiest]
        _bars_to_the_right(axes, names, [trips for _, trips in busiest], color=taxi.taxi.color, numbers=_count())
        axes.set_xlabel("trips")
        axes.set_title(taxi.taxi.title)
        facts.append(
            f"{taxi.taxi.title}: {', '.join(f'{n} {trips:,}' for n, (_, trips) in zip(names, busiest, strict=True))}"
        )
    return Plot(
        "busiest_zones",
        "Busiest pickup zones",
        f"Bars for the {_ZONES} zones with the most pickups. {_sentences(facts)}",
        "",
        figure,
    )


def _hours_by_weekday(summary: Summary) -> Plot:
    figure, panels = _panels(len(summary.taxis), height=2.2)
    facts = []
    for axes, taxi in zip(panels, summary.taxis, strict=True):
        of_weekday = [sum(day.isoweekday() == weekday for day in taxi.calendar) for weekday in range(1, 8)]
        trips = np.array([[taxi.hours.get((weekday, hour), 0) for hour in range(24)] for weekday in range(1, 8)])
        means = trips / np.array(of_weekday)[:, None]
        image = axes.pcolormesh(
            np.arange(25), np.arange(8), means, cmap="viridis", vmin=0, edgecolors="face", linewidth=0.4
        )
        axes.set(xlabel="pickup hour", xticks=range(0, 25, 3))
        axes.set_yticks(np.arange(7) + 0.5, calendar.day_abbr)
        axes.set_ylabel("weekday")
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        axes.set_title(taxi.taxi.title)
        bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=12)
        bar.set_label("trips per hour")
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(4, integer=bool(means.max() >= _ENOUGH_FOR_WHOLE_NUMBERS))
        bar.update_ticks()
        weekday, hour = (int(place) for place in np.unravel_index(means.argmax(), means.shape))
        facts.append(
            f"{taxi.taxi.title}: busiest on {calendar.day_name[weekday]}s {_hour(hour)}, "
            f"with {means.max():,.0f} trips on average"
        )
    return Plot(
        "hours_by_weekday",
        "Trips by weekday and hour",
        f"A cell per weekday and hour, brighter for more trips. {_sentences(facts)}",
        "Average number of trips in that hour of that weekday.",
        figure,
    )


def _problems(summary: Summary) -> Plot:
    shown = {taxi.taxi.name: Counter(taxi.problems).most_common(_PROBLEMS) for taxi in summary.taxis}
    figure, panels = _panels(len(summary.taxis), height=2.4)
    facts = []
    for axes, taxi in zip(panels, summary.taxis, strict=True):
        bad = sum(taxi.rows_with_problems.values())
        title = f"{taxi.taxi.title}: {bad / taxi.total.trips:.2%} of rows"
        axes.set_title(title)
        axes.set_xlabel("share of rows")
        kinds = shown[taxi.taxi.name]
        if kinds:
            names, counts = zip(*kinds, strict=True)
            shares = [count / taxi.total.trips for count in counts]
            _bars_to_the_right(axes, names, shares, color=taxi.taxi.color, numbers=_percent(), label="{:.2%}")
        else:
            axes.set_yticks([0.5], ["none"])
            axes.set(xlim=(0, 0.01), ylim=(0, 1), xticks=[0, 0.01])
            axes.xaxis.set_major_formatter(_percent())
        facts.append(f"{title} ({bad:,}); {', '.join(f'{name} {count:,}' for name, count in kinds) or 'none'}")
    return Plot(
        "rows_with_problems",
        "Rows with problems",
        f"Bars for the most frequent problems. {_sentences(facts)}",
        f"The {_PROBLEMS} most frequent problems; a row may have several. Published files have such rows, refunds "
        "among them, and all are kept.",
        figure,
    )


def _problems_by_month(summary: Summary) -> Plot:
    figure, panels = _panels(len(summary.taxis), height=1.8)
    facts = []
    for axes, taxi in zip(panels, summary.taxis, strict=True):
        months = list(taxi.rows)
        shares = [taxi.rows_with_problems[month] / taxi.rows[month] for month in months]
        axes.bar(_middles(months), shares, width=22, color=taxi.taxi.color)
        axes.set_title(taxi.taxi.title)
        _date_axis(axes, summary, offset=_MIDDLE_OF_MONTH)
        axes.set_ylabel("share of rows")
        _from_zero(axes, _percent())
        worst = max(range(len(months)), key=shares.__getitem__)
        facts.append(f"{taxi.taxi.title}: most in {months[worst]}, with {shares[worst]:.2%}")
    panels[-1].set_xlabel("month")
    return Plot(
        "rows_with_problems_by_month",
        "Rows with problems by month",
        f"A bar per month. {_sentences(facts)}",
        "Rows with at least one problem.",
        figure,
    )


def _published(summary: Summary) -> Plot:
    is_month = summary.is_of_one_month
    taxis = [taxi for taxi in summary.taxis if taxi.published]
    figure, panels = _panels(len(taxis), height=1.2 if is_month else 2.1)
    facts = []
    for axes, taxi in zip(panels, taxis, strict=True):
        if is_month:
            _published_of_a_month(axes, taxi)
        else:
            _published_by_month(axes, summary, taxi)
        axes.set_title(taxi.taxi.title)
        facts.append(f"{taxi.taxi.title}: {_rows_in_words(taxi)}")
    panels[-1].set_xlabel("rows" if is_month else "month")
    return Plot(
        "published_counts",
        "Rows and published counts",
        f"A bar for the published number of rows and one for the rows in the warehouse. {_sentences(facts)}",
        "A mirror may have only some of a month's rows."
        + (" Sample months are left out." if any(taxi.sample for taxi in summary.taxis) else ""),
        figure,
    )


def _rows_in_words(taxi: TaxiSummary) -> str:
    if len(taxi.rows) > 1:
        same = sum(taxi.rows[month] == count.rows for month, count in taxi.published.items())
        return f"months with the published number of rows: {same} of {len(taxi.rows) - len(taxi.sample)}"
    (count,), (rows,) = taxi.published.values(), taxi.rows.values()
    return f"{rows:,} rows in the warehouse, {count.rows:,} published"


def _published_of_a_month(axes: Axes, taxi: TaxiSummary) -> None:
    (count,), (rows,) = taxi.published.values(), taxi.rows.values()
    names = ["published", "in the warehouse"]
    _bars_to_the_right(axes, names, [count.rows, rows], color=taxi.taxi.color, numbers=_count())
    axes.patches[0].set_facecolor(_pale(taxi.taxi.color))


def _published_by_month(axes: Axes, summary: Summary, taxi: TaxiSummary) -> None:
    published = {month: count.rows for month, count in taxi.published.items()}
    rows = {month: rows for month, rows in taxi.rows.items() if month not in taxi.sample}
    color = taxi.taxi.color
    axes.bar(_middles(list(published)), list(published.values()), width=26, color=_pale(color), label="published")
    axes.bar(_middles(list(rows)), list(rows.values()), width=13, color=color, label="in the warehouse")
    axes.set_ylabel("rows")
    _from_zero(axes, _count(), whole=True)
    _legend(axes)
    _date_axis(axes, summary, offset=_MIDDLE_OF_MONTH)


def _panels(count: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with that many panels, one below the other, each ``height`` inches high."""
    figure = Figure(figsize=(_WIDTH, height * count + 0.2), layout="constrained")
    return figure, list(figure.subplots(count, 1, squeeze=False)[:, 0])


def _legend(axes: Axes) -> None:
    """A legend beside the title of a panel."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


def _from_zero(axes: Axes, numbers: FuncFormatter, *, whole: bool = False) -> None:
    """A vertical axis with zero, whose last number is above everything that has been drawn."""
    low, high = (float(value) for value in axes.dataLim.intervaly)
    ticks = MaxNLocator(4, integer=whole).tick_values(min(low, 0), high or 1)
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter(numbers)
    # A little more than the last number, so that a line along it is not cut.
    axes.set_ylim(ticks[0] if low < 0 else 0, ticks[-1] * 1.02)
    axes.grid(axis="y")


def _count() -> FuncFormatter:
    return FuncFormatter(lambda count, _: written(count, ",.0f"))


def _percent() -> FuncFormatter:
    return FuncFormatter(lambda share, _: f"{100 * share:g}%")


def _date_axis(axes: Axes, summary: Summary, *, offset: float = 0, whole_weeks: bool = False) -> None:
    """Dates from the first to the last month of the report, so that dates align in all panels.

    Args:
        axes: The panel.
        summary: The report.
        offset: Where in a month its name stands, in days after its first.
        whole_weeks: Whether there is room for all days of the first and the last week.
    """
    first, last = _numbers([summary.months[0].first_day, summary.months[-1].next().first_day])
    room = _DAYS_OF_A_WEEK - 1 if whole_weeks else 1
    axes.set_xlim(first - room, last + (room if whole_weeks else 0))
    named = _evenly_spaced(months_from(summary.months[0], summary.months[-1]))
    axes.set_xticks(
        [number + offset for number in _numbers([month.first_day for month in named])],
        [f"{month.first_day:%b %Y}" for month in named],
    )


def _evenly_spaced(months: Sequence[Month]) -> Sequence[Month]:
    """As many of the months as an axis has room for, with the same distance between them."""
    for step in _MONTHS_BETWEEN_DATES:
        chosen = [month for month in months if (_MONTHS_OF_A_YEAR * month.year + month.number - 1) % step == 0]
        if len(chosen) <= _DATES:
            return chosen
    return months[:1]


def _bars_to_the_right(
    axes: Axes,
    names: Sequence[str],
    values: Sequence[float],
    *,
    color: str,
    numbers: FuncFormatter,
    label: str = "{:,.0f}",
) -> None:
    """Horizontal bars, the first at the top, each with its value at its end."""
    bars = axes.barh(range(len(names)), values, color=color, height=0.72)
    axes.bar_label(bars, labels=[label.format(value) for value in values], padding=3, fontsize=8.5)
    axes.set_yticks(range(len(names)), [textwrap.shorten(name, _LABEL_LETTERS, placeholder=" …") for name in names])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    highest = max(values, default=1) or 1
    ticks = MaxNLocator(4, integer=highest >= _ENOUGH_FOR_WHOLE_NUMBERS).tick_values(0, highest)
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(numbers)
    # Room for the value after the longest bar, and for the last number of the axis.
    axes.set_xlim(0, max(highest * 1.18, float(ticks[-1])))
    axes.grid(axis="x")


def _plot_with_gaps(axes: Axes, days: Sequence[date], trips: Sequence[int], *, color: str) -> None:
    """A line that breaks off where a month is missing and begins again after it."""
    numbers = np.array(_numbers(days))
    for part in np.split(np.arange(len(days)), np.flatnonzero(np.diff(numbers) > 1) + 1):
        axes.plot(numbers[part], np.array(trips)[part], color=color, linewidth=1.1)


def _numbers(days: Sequence[date]) -> list[float]:
    """Days as matplotlib counts them: since 1970-01-01."""
    return [float((day - date(1970, 1, 1)).days) for day in days]


def _middles(months: Sequence[Month]) -> list[float]:
    return [number + _MIDDLE_OF_MONTH for number in _numbers([month.first_day for month in months])]


def _pale(color: str) -> str:
    """The same color, half as strong."""
    parts = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02x}" for part in parts)


def _cycled(values: Sequence[str]) -> Iterator[str]:
    while True:
        yield from values


def _zone_name(summary: Summary, number: int) -> str:
    return summary.zone_names.get(number, f"zone {number}")


def _hour(hour: int) -> str:
    return f"from {hour:02d}:00 to {hour + 1:02d}:00"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _sentences(facts: Sequence[str]) -> str:
    return " ".join(f"{fact}." for fact in facts)
