"""Measures the cost of Dagster itself: the start of a command, and each month of a range beyond its load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.dagster_command import materialize
from benchmarks.figures import Figure, seconds
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.process import BenchmarkError
from benchmarks.report import Details, Line, Section, at_most

_MONTH: Final = "2020-10"
_LAST: Final = "2021-07"
_TAXIS: Final = ["green", "yellow"]
_START_LIMIT: Final = 5.0
_MONTH_LIMIT: Final = 0.25

_LOAD_PARTS: Final = {
    "land": "landing",
    "open and close": "opening and closing the warehouse",
    "load": "loading",
    "merge": "merging",
}

_ONE, _ONE_BY_ONE, _AT_ONCE, _DIRECT = "one month", "range, one by one", "range", "range without Dagster"


def measure(bench: Bench) -> Section:
    """Measure one small month, a long range of small months, and the same range without Dagster."""
    months = _months(bench.scale.first_month)
    source = bench.source(_TAXIS, sorted({_MONTH, *months}))
    range_option = f"{months[0]}...{months[-1]}"
    taxi_months = len(_TAXIS) * len(months)
    one_by_one = {"TAXI_MONTHS_AT_ONCE": "1"}
    results = bench.side_by_side(
        {_ONE: _command(bench, source, ["green"], _MONTH)}, bench.scale.repetitions
    ) | bench.side_by_side(
        {
            _ONE_BY_ONE: _command(bench, source, _TAXIS, range_option, one_by_one),
            _AT_ONCE: _command(bench, source, _TAXIS, range_option),
            _DIRECT: _direct_calls(bench, source, range_option),
        },
        bench.scale.long_repetitions,
    )
    _require_months(results, {_ONE: 1, _ONE_BY_ONE: taxi_months, _AT_ONCE: taxi_months})
    return Section(
        "Dagster's own share",
        how=(
            "`dagster asset materialize` of one month of green taxis, and of the range "
            f"{range_option} of both taxis, from a folder with the project's own small sample files (at most 13,000 "
            "rows), each with its own `TAXI_HOME`. The start is the wall time of the command for one month, minus the "
            "seconds that its stages report in their metadata: importing, building the graph, the run's records. For "
            "the range, two times are subtracted: that start, and the time that the same landings, loads and merges "
            "take when the same functions are called one after another without Dagster. The rest, divided by the "
            "taxi-months, is the cost of each beyond its load. The checks (two queries per month, each on its own "
            "connection) are not part of a load; a line of their own shows their share. For this figure the months are "
            "loaded one by one, so that none waits for another."
        ),
        lines=_lines(results, taxi_months),
        details=[_direct_details(results[_DIRECT])],
    )


def _command(
    bench: Bench, source: Path, taxis: Sequence[str], months: str, settings: Mapping[str, str] | None = None
) -> Variant:
    def run() -> Measurement:
        with bench.scratch() as home:
            return materialize(taxis, months, source=source, home=home, settings=settings)

    return run


def _direct_calls(bench: Bench, source: Path, months: str) -> Variant:
    def run() -> Measurement:
        with bench.scratch() as home:
            landing, database = home / "landing", home / "warehouse.duckdb"
            return bench.task(
                "dagster_runs.direct_calls",
                source=source,
                landing=landing,
                database=database,
                taxis=_TAXIS,
                months=months,
            )

    return run


def _months(first: str) -> Sequence[str]:
    months = [f"{year}-{number:02d}" for year in (2019, 2020, 2021) for number in range(1, 13)]
    return [month for month in months if first <= month <= _LAST]


def _require_months(results: Mapping[str, Sequence[Measurement]], expected: Mapping[str, int]) -> None:
    """Check that every month was merged.

    Raises:
        BenchmarkError: Some were not.
    """
    for name, months in expected.items():
        for measurement in results[name]:
            if measurement.facts["months"] != months:
                raise BenchmarkError(f"“{name}” merged {measurement.facts['months']} months instead of {months}.")


def _lines(results: Mapping[str, Sequence[Measurement]], count: int) -> Sequence[Line]:
    start = Figure.of(_beyond_stages(measurement) for measurement in results[_ONE])
    # Round by round, because both depend on how busy the machine is.
    rounds = list(zip(results[_ONE_BY_ONE], results[_DIRECT], strict=True))
    beyond_load = Figure.of(
        (command.seconds - start.median - sum(direct.facts[part] for part in _LOAD_PARTS)) / count
        for command, direct in rounds
    )
    checks = Figure.of(direct.facts["measure"] / count for _, direct in rounds)
    return [
        at_most(_START_LIMIT, "start of `dagster asset materialize` (one month, without its load)", start, unit=" s"),
        at_most(
            _MONTH_LIMIT,
            f"each taxi-month in a range of {count}, beyond its load: Dagster and the checks",
            beyond_load,
            unit=" s",
            digits=3,
        ),
        Line("of that, the checks' queries", checks.text(" s", 3)),
        Line(f"whole command, {count} taxi-months, one by one", seconds(results[_ONE_BY_ONE]).text(" s", 1)),
        Line(
            f"whole command, {count} taxi-months, several at once (the default)",
            seconds(results[_AT_ONCE]).text(" s", 1),
        ),
        Line("the same months by the same functions without Dagster", seconds(results[_DIRECT]).text(" s", 1)),
    ]


def _direct_details(measurements: Sequence[Measurement]) -> Details:
    parts = {**_LOAD_PARTS, "measure": "measuring for the checks"}
    return Details(
        "The seconds of the range without Dagster",
        ("part", "seconds"),
        [
            (title, Figure.of(measurement.facts[name] for measurement in measurements).text())
            for name, title in parts.items()
        ],
    )


def _beyond_stages(measurement: Measurement) -> float:
    stages: float = measurement.facts["stage_seconds"]
    return measurement.seconds - stages
