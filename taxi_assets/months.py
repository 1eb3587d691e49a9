"""Months: the unit in which files are published, partitioned, loaded and replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from taxi_assets.errors import UnknownTaxiOrMonthError

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_SUFFIX = re.compile(r"(\d{4})_(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month. Its text form, ``2020-10``, is also the partition key."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read ``2020-10``.

        Raises:
            UnknownTaxiOrMonthError: The text is not a month in that form.
        """
        match = _MONTH.fullmatch(text.strip())
        if match is None:
            raise UnknownTaxiOrMonthError(f"“{text}” is not a month: write it as YYYY-MM, for example 2020-10.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def first_day(self) -> date:
        """The value of the tables' ``file_month`` column."""
        return date(self.year, self.number, 1)

    @property
    def suffix(self) -> str:
        """The month in a table's name: ``2020_10``."""
        return f"{self.year:04d}_{self.number:02d}"

    @classmethod
    def of_suffix(cls, suffix: str) -> Month | None:
        """The month in a table's name; None if the suffix is not a month."""
        match = _SUFFIX.fullmatch(suffix)
        return cls(int(match[1]), int(match[2])) if match else None

    def next(self) -> Month:
        """The month after this one."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def previous(self) -> Month:
        """The month before this one."""
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)


def last_ended_month(at: datetime) -> Month:
    """The last month that had ended at that moment, in the moment's own time zone."""
    return Month(at.year, at.month).previous()


def months_before(month: Month, count: int) -> list[Month]:
    """That many months before a month, in order."""
    months: list[Month] = []
    while len(months) < count:
        month = month.previous()
        months.insert(0, month)
    return months


def months_from(first: Month, last: Month) -> list[Month]:
    """The months from ``first`` to ``last``, both included; none if ``last`` is earlier."""
    months = []
    while first <= last:
        months.append(first)
        first = first.next()
    return months


def month_ranges(months: Iterable[Month], longest: int | None = None) -> Sequence[Sequence[Month]]:
    """The months in their order, as ranges without gaps, none of them longer than ``longest``."""
    found: list[list[Month]] = []
    for month in sorted(months):
        if found and found[-1][-1].next() == month and len(found[-1]) != longest:
            found[-1].append(month)
        else:
            found.append([month])
    return found


def title_of_range(months: Sequence[Month]) -> str:
    """A range without gaps as it is written on the command line: ``2019-01...2019-03``, or ``2019-01``."""
    return f"{months[0]}...{months[-1]}" if len(months) > 1 else str(months[0])


def ranges_in_words(months: Iterable[Month]) -> str:
    """The months as their ranges without gaps: ``2019-01...2019-03, 2019-05``."""
    return ", ".join(title_of_range(found) for found in month_ranges(months))


def parse_month_range(text: str) -> list[Month]:
    """Read one month (``2019-01``) or an inclusive range (``2019-01...2019-03``, two or three dots) in order.

    Raises:
        UnknownTaxiOrMonthError: A side is not a month, or the range runs backwards.
    """
    first_text, dots, last_text = text.strip().partition("..")
    first = Month.parse(first_text)
    last = Month.parse(last_text.removeprefix(".")) if dots else first
    if last < first:
        raise UnknownTaxiOrMonthError(
            f"The range {text} runs backwards: write the earlier month first, {last}...{first}."
        )
    return months_from(first, last)
