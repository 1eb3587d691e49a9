"""Measures the memory that loading a month takes, for an ordinary and a large month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.dagster_command import materialize
from benchmarks.figures import peak_mib, peak_ratio
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.report import Line, Section, at_most
from benchmarks.subjects.load import MONTH, TAXI

_LIMIT_MIB: Final = 1024
_GROWTH_LIMIT: Final = 1.1
_CALLS, _AGAIN, _DAGSTER = "warehouse calls", "warehouse calls, again", "dagster asset materialize"


def measure(bench: Bench) -> Section:
    """Measure the peaks of the warehouse's calls, of a rerun, and of Dagster's whole command."""
    sizes = (bench.scale.rows, bench.scale.large_rows)
    with bench.scratch() as folder:
        variants: dict[str, Variant] = {}
        for rows in sizes:
            source, landing = bench.source([TAXI], [MONTH], rows), folder / f"landing-{rows}"
            bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=MONTH)
            database = folder / f"{rows}.duckdb"
            variants |= {
                _name(_CALLS, rows): _calls(bench, landing, database, is_new=True),
                _name(_AGAIN, rows): _calls(bench, landing, database, is_new=False),
                _name(_DAGSTER, rows): _whole_command(bench, source),
            }
        results = bench.side_by_side(variants, bench.scale.long_repetitions)
    return Section(
        "Memory",
        how=(
            "The peak of the whole process, for a month of ordinary size and for one as large as the largest "
            "published months: `load_month` and `merge_month` called from Python, the same again into the database "
            "that already holds the month, and Dagster's whole command from landing the raw file to the main table's "
            "checks. The project sets a memory limit for DuckDB, beyond which DuckDB spills to the disk; the rest is "
            "Python, its libraries and buffers that DuckDB does not count."
        ),
        lines=[line for kind in (_CALLS, _AGAIN, _DAGSTER) for line in _lines(kind, sizes, results)],
    )


def _calls(bench: Bench, landing: Path, database: Path, *, is_new: bool) -> Variant:
    def run() -> Measurement:
        if is_new:
            database.unlink(missing_ok=True)
        elif not database.exists():
            load()
        return load()

    def load() -> Measurement:
        return bench.task("duckdb_load.load", landing=landing, database=database, taxi=TAXI, month=MONTH)

    return run


def _whole_command(bench: Bench, source: Path) -> Variant:
    def run() -> Measurement:
        with bench.scratch() as home:
            return materialize([TAXI], MONTH, source=source, home=home)

    return run


def _lines(kind: str, sizes: Sequence[int], results: Mapping[str, Sequence[Measurement]]) -> Sequence[Line]:
    ordinary, large = (results[_name(kind, rows)] for rows in sizes)
    return [
        *(
            at_most(
                _LIMIT_MIB,
                f"peak memory, {kind}, {rows:,} rows",
                peak_mib(results[_name(kind, rows)]),
                unit=" MiB",
                digits=0,
            )
            for rows in sizes
        ),
        at_most(
            _GROWTH_LIMIT,
            f"the larger peak, {kind}, compared with the smaller",
            peak_ratio(large, ordinary),
            unit=" times",
        ),
    ]


def _name(kind: str, rows: int) -> str:
    return f"{kind}, {rows:,} rows"
