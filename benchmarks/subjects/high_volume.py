"""Measures a month of high-volume for-hire vehicles: 24 columns, and more rows than any other month has."""

from __future__ import annotations

from typing import Final

from benchmarks.figures import peak_mib, peak_ratio, seconds
from benchmarks.harness import Bench
from benchmarks.report import Line, Section, at_most
from benchmarks.subjects.feed import GROWTH_LIMIT, LARGE_ROWS_TIMES, MEMORY_LIMIT_MIB, land_feed, load_landed
from benchmarks.subjects.load import MONTH

_TAXI: Final = "fhvhv"
_ORDINARY, _LARGE = "a month of fhvhv", "a whole month of fhvhv"


def measure(bench: Bench) -> Section:
    """Measure the load of a month of ordinary size, and of one as large as published ones."""
    source = bench.source([_TAXI], [MONTH], bench.scale.rows)
    results = {}
    with bench.scratch() as folder:
        for name, times in ((_ORDINARY, 1), (_LARGE, LARGE_ROWS_TIMES)):
            landing = land_feed(bench, folder, source, _TAXI, times)
            variant = load_landed(bench, folder, landing, _TAXI, from_feed=True)
            results |= bench.side_by_side({name: variant}, repetitions=1)
    rows = bench.scale.rows * LARGE_ROWS_TIMES
    return Section(
        "Loading a month of high-volume for-hire vehicles",
        how=(
            "A generated month is written as Parquet with the feed's types and landed, and loaded into the main table "
            f"of a new database. The large month has each trip {LARGE_ROWS_TIMES} times, a second apart; published "
            "months have some 20 million rows."
        ),
        lines=[
            Line(f"{rows:,} rows into the main table of DuckDB", seconds(results[_LARGE]).text(" s")),
            at_most(MEMORY_LIMIT_MIB, "peak memory of that", peak_mib(results[_LARGE]), unit=" MiB", digits=0),
            at_most(
                GROWTH_LIMIT,
                f"that peak, compared with that of {bench.scale.rows:,} rows",
                peak_ratio(results[_LARGE], results[_ORDINARY]),
                unit=" times",
            ),
        ],
    )
