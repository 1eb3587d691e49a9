"""How large the measured months are, and how often each measurement is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scale:
    """The size of a run of the benchmarks.

    Attributes:
        rows: Rows of an ordinary month.
        large_rows: Rows of a large month; published months have up to eight million.
        repetitions: Rounds of short measurements.
        long_repetitions: Rounds of measurements that take many seconds each.
        first_month: First month of the long range of small months.
        is_full: Whether the figures can be compared with the goals.
    """

    rows: int
    large_rows: int
    repetitions: int
    long_repetitions: int
    first_month: str
    is_full: bool


FULL: Final = Scale(
    rows=1_500_000, large_rows=8_000_000, repetitions=3, long_repetitions=2, first_month="2019-01", is_full=True
)
QUICK: Final = Scale(
    rows=100_000, large_rows=500_000, repetitions=1, long_repetitions=1, first_month="2021-05", is_full=False
)
