"""Measures a month of the official feed into DuckDB, compared with the same trips as CSV, and a very large month."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.figures import peak_mib, peak_ratio, ratio, seconds
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.report import Line, Section, at_most
from benchmarks.subjects.load import MONTH, TAXI

LARGE_ROWS_TIMES: Final = 14  # of an ordinary month: 21 million
MEMORY_LIMIT_MIB: Final = 1024
GROWTH_LIMIT: Final = 1.1
_CSV, _PARQUET, _LARGE = "a CSV", "Parquet", "Parquet, a very large month"


def measure(bench: Bench) -> Section:
    """Measure the load of the same month from both kinds of file, and of a month that is many times as large."""
    source = bench.source([TAXI], [MONTH], bench.scale.rows)
    with bench.scratch() as folder:
        landing = folder / "landing"
        bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=MONTH)
        ordinary, large = (land_feed(bench, folder, source, TAXI, times) for times in (1, LARGE_ROWS_TIMES))
        results = bench.side_by_side(
            {
                _CSV: load_landed(bench, folder, landing, TAXI, from_feed=False),
                _PARQUET: load_landed(bench, folder, ordinary, TAXI, from_feed=True),
            }
        )
        results |= bench.side_by_side({_LARGE: load_landed(bench, folder, large, TAXI, from_feed=True)}, repetitions=1)
    rows = bench.scale.rows
    return Section(
        "Loading a month of the official feed",
        how=(
            "The same trips are loaded once from csv.gz and once from Parquet with the feed's types, both landed "
            "before, into the main table of a new database. The very large month has each of these trips "
            f"{LARGE_ROWS_TIMES} times, a second apart."
        ),
        lines=[
            at_most(
                1.0,
                f"Parquet of {rows:,} rows into the main table, compared with the same rows as csv.gz",
                ratio(results[_PARQUET], results[_CSV]),
                unit=" times",
            ),
            Line("the same in seconds: Parquet", seconds(results[_PARQUET]).text(" s")),
            at_most(
                MEMORY_LIMIT_MIB,
                f"peak memory, Parquet, {rows * LARGE_ROWS_TIMES:,} rows",
                peak_mib(results[_LARGE]),
                unit=" MiB",
                digits=0,
            ),
            at_most(
                GROWTH_LIMIT,
                f"that peak, compared with that of {rows:,} rows",
                peak_ratio(results[_LARGE], results[_PARQUET][:1]),
                unit=" times",
            ),
        ],
    )


def land_feed(bench: Bench, folder: Path, source: Path, taxi: str, times: int) -> Path:
    """Land a month of the feed that has each trip of a CSV that many times, and return the landing zone."""
    feed, landing = folder / f"feed-{times}", folder / f"feed-landing-{times}"
    bench.task("files.make_feed_month", source=source, feed=feed, taxi=taxi, month=MONTH, times=times)
    bench.task("files.land", source=feed, landing=landing, taxi=taxi, month=MONTH, from_feed=True)
    return landing


def load_landed(bench: Bench, folder: Path, landing: Path, taxi: str, *, from_feed: bool) -> Variant:
    """Load a landed month into the main table of a new database."""

    def run() -> Measurement:
        database = folder / "new.duckdb"
        database.unlink(missing_ok=True)
        return bench.task(
            "duckdb_load.load", landing=landing, database=database, taxi=taxi, month=MONTH, from_feed=from_feed
        )

    return run
