"""Measures the cost of a backfill through the daemon beyond its loads, and how it grows with the range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, seconds
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.process import BenchmarkError
from benchmarks.report import Details, Line, Section, at_most

_TAXIS: Final = ["green", "yellow"]
_FIRST: Final = "2019-01"
_LASTS: Final[Mapping[int, str]] = {4: "2019-04", 16: "2020-04", 31: "2021-07"}
_MONTH_LIMIT: Final = 0.5
_SECONDS_BETWEEN_LOOKS: Final = 30.0


def measure(bench: Bench) -> Section:
    """Measure backfills of 4, 16 and 31 months of both taxis, and the same months without Dagster."""
    ranges = {count: f"{_FIRST}...{last}" for count, last in _LASTS.items()}
    longest = max(ranges)
    source = bench.source(_TAXIS, _months(_LASTS[longest]))
    backfills = {str(count): _backfill(bench, source, months) for count, months in ranges.items()}
    direct = {f"{count} without Dagster": _direct_calls(bench, source, months) for count, months in ranges.items()}
    results = bench.side_by_side(backfills | direct, 1)
    for count in ranges:
        _require_success(results[str(count)])
    return Section(
        "Backfills through the daemon",
        how=(
            "All processes of `make up` are started (two PostgreSQL servers, code server, webserver, daemon). One "
            "backfill of both taxis' assets in DuckDB is launched over GraphQL, as the UI does it, from a folder with "
            "the project's own small sample files. Each backfill has its own `TAXI_HOME`. The time runs from the "
            f"launch to the end of the run. The daemon looks for new backfills every {_SECONDS_BETWEEN_LOOKS:.0f} "
            "seconds, which can't be changed; the launch is half-way between two looks, so that the wait, which is "
            "included, is the average one. The time that the same landings, loads and merges take without Dagster is "
            "subtracted, and the rest is divided by the taxi-months."
        ),
        lines=[
            at_most(
                _MONTH_LIMIT,
                f"each taxi-month in a backfill of {len(_TAXIS) * longest} through the daemon, beyond its load",
                _beyond_load(results, longest),
                unit=" s",
                digits=3,
            ),
            Line(
                f"whole backfill, {len(_TAXIS) * longest} taxi-months, from the launch to the end of the run",
                seconds(results[str(longest)]).text(" s", 1),
            ),
        ],
        details=[_growth(results, list(ranges))],
    )


def _backfill(bench: Bench, source: Path, months: str) -> Variant:
    def run() -> Measurement:
        with bench.scratch() as home:
            return bench.task(
                "backfills.through_the_daemon",
                source=source,
                home=home,
                taxis=_TAXIS,
                months=months,
                seconds_after_look=_SECONDS_BETWEEN_LOOKS / 2,
            )

    return run


def _direct_calls(bench: Bench, source: Path, months: str) -> Variant:
    def run() -> Measurement:
        with bench.scratch() as home:
            return bench.task(
                "dagster_runs.direct_calls",
                source=source,
                landing=home / "landing",
                database=home / "warehouse.duckdb",
                taxis=_TAXIS,
                months=months,
            )

    return run


def _months(last: str) -> Sequence[str]:
    months = [f"{year}-{number:02d}" for year in (2019, 2020, 2021) for number in range(1, 13)]
    return [month for month in months if month <= last]


def _require_success(measurements: Sequence[Measurement]) -> None:
    """Check that the backfill has done its work, in one run.

    Raises:
        BenchmarkError: It has not.
    """
    for measurement in measurements:
        if not measurement.facts["succeeded"] or measurement.facts["runs"] != 1:
            raise BenchmarkError(
                f"The backfill was to be one run that succeeds, but had {measurement.facts['runs']} runs"
                f"{'' if measurement.facts['succeeded'] else ', and not all of them succeeded'}."
            )


def _beyond_load(results: Mapping[str, Sequence[Measurement]], count: int) -> Figure:
    rounds = zip(results[str(count)], results[f"{count} without Dagster"], strict=True)
    # A load is landing, loading and merging; measuring for the checks counts as Dagster's part here.
    return Figure.of(
        (backfill.seconds - direct.seconds + direct.facts["measure"]) / (count * len(_TAXIS))
        for backfill, direct in rounds
    )


def _growth(results: Mapping[str, Sequence[Measurement]], counts: Sequence[int]) -> Details:
    def row(count: int) -> Sequence[str]:
        backfill = results[str(count)]
        after_wait = [each.seconds - each.facts["waiting"] for each in backfill]
        return (
            str(count * len(_TAXIS)),
            Figure.of(each.facts["waiting"] for each in backfill).text(digits=1),
            Figure.of(each.facts["starting"] for each in backfill).text(digits=1),
            Figure.of(after_wait).text(digits=1),
            Figure.of(each / (count * len(_TAXIS)) for each in after_wait).text(digits=3),
            _beyond_load(results, count).text(digits=3),
        )

    return Details(
        "How a backfill grows with its range, in seconds",
        (
            "taxi-months",
            "until the daemon has created the run",
            "from then to its start",
            "in all, without the wait",
            "the same per taxi-month",
            "beyond the load, per taxi-month",
        ),
        [row(count) for count in counts],
    )
