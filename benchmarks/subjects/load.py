"""Measures one month into DuckDB, compared with what DuckDB itself needs to read the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, ratio, seconds
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.report import Details, Line, Section, at_most

TAXI: Final = "yellow"
MONTH: Final = "2019-01"
_LIMIT: Final = 2.0
_MIB: Final = 2**20

_BARE, _LOAD, _TIMED, _LAND = "bare read_csv", "load and merge", "load and merge, statement by statement", "land"

# From a bare read_csv to the project's load, adding one requirement after another.
_STEPS: Final = {
    _BARE: (
        "duckdb_load.bare",
        "bare `CREATE TABLE AS SELECT * FROM read_csv(file)`: types are guessed, any value fits",
    ),
    "within limits": ("duckdb_load.bare_within_limits", "+ bounded memory, rows in any order"),
    "typed": ("duckdb_load.typed", "+ declared types instead of guessed ones; values that do not fit are rounded"),
    "checked": ("duckdb_load.checked", "+ check that no value is changed by its type; file name and month"),
    "with ids": (
        "duckdb_load.with_ids",
        "+ an id for each trip (text of seven columns, MD5, 32 more characters to store)",
    ),
    _LOAD: ("duckdb_load.load", "+ ids of repeated trips, second write into the main table, can be run again"),
}

_STATEMENTS: Final = {
    "1 open": "open the database",
    "2 INSERT": "read, type, check, compute ids, into the monthly table",
    "2 CREATE OR": "find trips with repeated ids, and number them",
    "2 commit": "commit the monthly table",
    "3 DELETE": "look for trips that are no longer in the file",
    "3 UPDATE": "look for trips that have changed",
    "3 INSERT": "write the trips into the main table",
    "3 commit": "commit the main table",
    "1 close": "close: write the rest to the disk",
}


def measure(bench: Bench) -> Section:
    """Measure the load of one month, the time of its parts, and the landing before it."""
    source = bench.source([TAXI], [MONTH], bench.scale.rows)
    with bench.scratch() as folder:
        landing = folder / "landing"
        landed = bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=MONTH)
        variants = {name: _into_new_database(bench, folder, landing, task) for name, (task, _) in _STEPS.items()}
        variants[_TIMED] = _into_new_database(bench, folder, landing, "duckdb_load.timed_load")
        variants[_LAND] = _into_new_folder(bench, folder, source)
        results = bench.side_by_side(variants)
    return Section(
        "Loading a month into DuckDB",
        how=(
            "From a landed csv.gz to rows in the main table of a new database (`load_month`, `merge_month`), compared "
            "with DuckDB's `CREATE TABLE AS SELECT * FROM read_csv(file)` into another new database. Both include "
            "opening the database and closing it, which writes everything to its file. Landing (copying from a folder, "
            "decompressing once to verify, hashing, flushing to the disk) is done before and has a line of its own."
        ),
        lines=_lines(bench.scale.rows, results, csv_size=landed.facts["csv_size"]),
        details=[_steps(results), _statements(results[_TIMED])],
    )


def _into_new_database(bench: Bench, folder: Path, landing: Path, task: str) -> Variant:
    def run() -> Measurement:
        database = folder / "new.duckdb"
        database.unlink(missing_ok=True)
        return bench.task(task, landing=landing, database=database, taxi=TAXI, month=MONTH)

    return run


def _into_new_folder(bench: Bench, folder: Path, source: Path) -> Variant:
    folders = (folder / f"landing-{number}" for number in count(1))

    def run() -> Measurement:
        return bench.task("files.land", source=source, landing=next(folders), taxi=TAXI, month=MONTH)

    return run


def _lines(rows: int, results: Mapping[str, Sequence[Measurement]], *, csv_size: int) -> Sequence[Line]:
    landing = seconds(results[_LAND])
    return [
        at_most(
            _LIMIT,
            f"csv.gz of {rows:,} rows into the main table, compared with DuckDB's bare `read_csv`",
            ratio(results[_LOAD], results[_BARE]),
            unit=" times",
        ),
        Line("the same in seconds: this project", seconds(results[_LOAD]).text(" s")),
        Line("the same in seconds: bare `read_csv`", seconds(results[_BARE]).text(" s")),
        Line(
            f"landing and verifying that file ({csv_size / _MIB:,.0f} MiB uncompressed) from a folder",
            f"{landing.text(' s')}, {csv_size / _MIB / landing.median:,.0f} MiB/s",
        ),
    ]


def _steps(results: Mapping[str, Sequence[Measurement]]) -> Details:
    rows = []
    before = 0.0
    for name, (_, meaning) in _STEPS.items():
        figure = seconds(results[name])
        rows.append((meaning, figure.text(), f"{figure.median - before:+.2f}" if before else ""))
        before = figure.median
    return Details(
        "The parts of the difference: one requirement after another, each into a new database (seconds)",
        ("requirement", "in total", "for this requirement"),
        rows,
    )


def _statements(measurements: Sequence[Measurement]) -> Details:
    parts = [dict(measurement.facts["parts"]) for measurement in measurements]
    named = {name: Figure.of(part.get(name, 0.0) for part in parts) for name in _STATEMENTS}
    rest = Figure.of(
        measurement.seconds - sum(part.get(name, 0.0) for name in _STATEMENTS)
        for measurement, part in zip(measurements, parts, strict=True)
    )
    return Details(
        "The seconds of this project's load, statement by statement",
        ("statement", "seconds"),
        [*((_STATEMENTS[name], figure.text()) for name, figure in named.items()), ("everything else", rest.text())],
    )
