"""Measures one month into PostgreSQL, compared with a bare COPY and with other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.dlt_environment import dlt_python
from benchmarks.figures import Figure, peak_mib, ratio, seconds
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.postgres_server import postgres_settings
from benchmarks.report import Details, Line, Section, at_least, at_most
from benchmarks.subjects.load import MONTH, TAXI

Settings = Mapping[str, str]
Results = Mapping[str, Sequence[Measurement]]

_OTHERS: Final = [
    *(f"2019-{number:02d}" for number in range(2, 13)),
    *(f"2020-{number:02d}" for number in range(1, 13)),
    "2021-01",
]
_COPY_LIMIT: Final = 1.4
_COURSE_LIMIT, _COURSE_LIMIT_BESIDE = 3.0, 6.0
_GROWTH_LIMIT: Final = 1.1
_MEMORY_LIMIT_MIB: Final = 600
_PANDAS_PART: Final = 15  # pandas gets one row in fifteen
_GIB: Final = 2**30
_SCHEMA_BESIDE, _COURSE_SCHEMA_BESIDE = "ours_beside", "course_beside"
_CPU: Final = ("client_cpu", "server_cpu")

_BESIDE: Final = f"beside {len(_OTHERS)} other months"
_COPY: Final = "bare `COPY`"
_OURS, _OURS_BESIDE = "this project, empty main table", f"this project, {_BESIDE}"
_COURSE, _COURSE_BESIDE = "the course's SQL, empty main table", f"the course's SQL, {_BESIDE}"
_PANDAS: Final = "pandas `to_sql`, extrapolated"
_DLT_PARQUET, _DLT_CSV = "dlt, parquet over ADBC, empty main table", "dlt, csv, empty main table"
_LARGE: Final = "this project, a large month"

_PARTS: Final = {
    "copy": "read, type, check, compute ids, encode and `COPY`, all at the same time",
    "number": "number the trips with repeated ids",
    "index": "index on the id",
    "merge": "`merge_month`: count the rows, swap the month in",
}
_READING: Final = "during the copying, time in which DuckDB reads, types, checks, computes ids"


def measure(bench: Bench) -> Section:
    """Measure all variants with an empty main table, two of them beside 24 months, and a large month."""
    python = dlt_python(bench)
    with bench.scratch() as folder, postgres_settings(bench) as settings:
        landing, large = (_land(bench, folder, rows) for rows in (bench.scale.rows, bench.scale.large_rows))
        server = bench.task("postgres_database.describe", settings=settings)
        filled = _fill(bench, landing, settings)
        ours = _own_ways(bench, landing, settings)
        short = bench.side_by_side({_COPY: _bare_copy(bench, landing, folder / "month.csv", settings), **ours})
        long = bench.side_by_side(
            {**ours, **_other_ways(bench, landing, settings), **_ways_of_dlt(bench, folder, python, settings)},
            bench.scale.long_repetitions,
        )
        large_month = bench.side_by_side({_LARGE: _load(bench, large, "large", settings)}, repetitions=1)
    others = {name: measurements for name, measurements in long.items() if name not in short}
    results = {**short, **others, **large_month}
    return Section(
        "Loading a month into PostgreSQL",
        how=_how(bench.scale.rows, server.facts, filled.facts, results),
        lines=[
            *_goals(bench.scale.rows, short, long),
            *(
                _memory(results[name], rows)
                for name, rows in ((_OURS, bench.scale.rows), (_LARGE, bench.scale.large_rows))
            ),
            *(Line(f"into PostgreSQL, in seconds: {name}", seconds(results[name]).text(" s")) for name in results),
        ],
        details=[_efforts(results), _parts(results)],
    )


def _land(bench: Bench, folder: Path, rows: int) -> Path:
    source, landing = bench.source([TAXI], [MONTH], rows), folder / f"landing-{rows}"
    bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=MONTH)
    return landing


def _fill(bench: Bench, landing: Path, settings: Settings) -> Measurement:
    filled = bench.task(
        "postgres_fill.fill",
        settings=settings,
        landing=landing,
        taxi=TAXI,
        month=MONTH,
        months=_OTHERS,
        schema=_SCHEMA_BESIDE,
        course_schema=_COURSE_SCHEMA_BESIDE,
    )
    bench.say(f"  filled two main tables with {filled.facts['rows']:,} rows each in {filled.seconds:.0f} s")
    return filled


def _own_ways(bench: Bench, landing: Path, settings: Settings) -> Mapping[str, Variant]:
    return {
        _OURS: _load(bench, landing, "ours", settings),
        _OURS_BESIDE: _load(bench, landing, _SCHEMA_BESIDE, settings),
    }


def _load(bench: Bench, landing: Path, schema: str, settings: Settings) -> Variant:
    return partial(
        bench.task, "postgres_load.load", settings=settings, landing=landing, schema=schema, taxi=TAXI, month=MONTH
    )


def _bare_copy(bench: Bench, landing: Path, csv: Path, settings: Settings) -> Variant:
    bench.task("files.unpack", landing=landing, target=csv, taxi=TAXI, month=MONTH)
    return partial(
        bench.task,
        "postgres_others.copy",
        settings=settings,
        path=csv,
        schema="bare",
        taxi=TAXI,
        rows=bench.scale.rows,
    )


def _other_ways(bench: Bench, landing: Path, settings: Settings) -> Mapping[str, Variant]:
    task = partial(bench.task, settings=settings, landing=landing, taxi=TAXI, month=MONTH)
    course = partial(task, "postgres_others.course")
    part = partial(task, "postgres_others.pandas", schema="pandas", rows=bench.scale.rows // _PANDAS_PART)
    return {
        _COURSE: partial(course, schema="course"),
        _COURSE_BESIDE: partial(course, schema=_COURSE_SCHEMA_BESIDE),
        _PANDAS: lambda: _extrapolated(part(), _PANDAS_PART),
    }


def _extrapolated(part: Measurement, times: int) -> Measurement:
    facts = {name: part.facts[name] and times * part.facts[name] for name in _CPU}
    return Measurement(times * part.seconds, part.peak_bytes, facts)


def _ways_of_dlt(bench: Bench, folder: Path, python: Path, settings: Settings) -> Mapping[str, Variant]:
    source = bench.source([TAXI], [MONTH], bench.scale.rows)
    described = bench.task("files.describe", source=source, taxi=TAXI, month=MONTH)
    load = partial(
        bench.task,
        "dlt_merge.load",
        settings={**settings, "RUNTIME__DLTHUB_TELEMETRY": "false"},
        python=python,
        folder=folder,
        rows=bench.scale.rows,
        **described.facts,
    )
    return {_DLT_PARQUET: partial(load, file_format="parquet"), _DLT_CSV: partial(load, file_format="csv")}


def _how(
    rows: int,
    server: Mapping[str, Any],
    filled: Mapping[str, Any],
    results: Results,
) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in server["settings"].items())
    (dlt_version,) = {measurement.facts["version"] for measurement in results[_DLT_PARQUET]}
    return (
        f"PostgreSQL {server['version']} ({settings}), the same for all variants: a server started for this with its "
        "default settings, unless `TAXI_BENCH_POSTGRES_URL` names another one. There is a checkpoint before each "
        f"measurement. All variants load the same {rows:,} rows. Bare `COPY` reads the uncompressed CSV into a plain "
        "table with the file's columns, typed, and does nothing else. This project (`load_month`, `merge_month`) and "
        "the others begin with the csv.gz. The course's SQL copies into a staging table, updates its ids and merges "
        f"the new ones into a plain table. dlt {dlt_version} gets Arrow batches with ids from DuckDB, and merges with "
        "its strategy `insert-only`, its fastest one for PostgreSQL: like the course, it does not correct existing "
        "rows. pandas reads the first fifteenth of the file and writes it with `to_sql` into a plain table without "
        f"ids; its time is multiplied by fifteen. The {len(_OTHERS)} other months ({filled['rows']:,} rows; "
        f"{filled['bytes'] / _GIB:.1f} GiB in this project's table, {filled['course_bytes'] / _GIB:.1f} GiB in the "
        "course's) are copies of a loaded month with other ids, made by the server, vacuumed and analyzed. This "
        "project is measured beside bare `COPY` in the short rounds, and again in the long rounds for the ratios to "
        "the course's SQL. After each measurement it is checked that all rows are there, and they are removed again."
    )


def _goals(rows: int, short: Results, long: Results) -> Sequence[Line]:
    return [
        at_most(
            _COPY_LIMIT,
            f"csv.gz of {rows:,} rows into PostgreSQL's main table, indexed, compared with a bare `COPY`",
            ratio(short[_OURS], short[_COPY]),
            unit=" times",
        ),
        at_least(
            _COURSE_LIMIT,
            "the course's SQL, compared with this project, empty main table",
            ratio(long[_COURSE], long[_OURS]),
            unit=" times",
        ),
        at_least(
            _COURSE_LIMIT_BESIDE,
            f"the course's SQL, compared with this project, {_BESIDE}",
            ratio(long[_COURSE_BESIDE], long[_OURS_BESIDE]),
            unit=" times",
        ),
        at_most(
            _GROWTH_LIMIT,
            f"loading a month into PostgreSQL {_BESIDE}, compared with none",
            ratio(short[_OURS_BESIDE], short[_OURS]),
            unit=" times",
        ),
    ]


def _memory(measurements: Sequence[Measurement], rows: int) -> Line:
    what = f"peak memory of the process that loads {rows:,} rows into PostgreSQL"
    return at_most(_MEMORY_LIMIT_MIB, what, peak_mib(measurements), unit=" MiB", digits=0)


def _efforts(results: Results) -> Details:
    """Show what each variant costs besides time."""
    return Details(
        "The cost of each variant on both sides of the connection (memory is the client's, including libraries)",
        ("variant", "seconds", "peak MiB", "client's CPU seconds", "server's CPU seconds"),
        [_effort(name, measurements) for name, measurements in results.items()],
    )


def _effort(name: str, measurements: Sequence[Measurement]) -> Sequence[str]:
    cpu = [_figure([measurement.facts.get(side) for measurement in measurements]) for side in _CPU]
    return name, seconds(measurements).text(), peak_mib(measurements).text(digits=0), *cpu


def _figure(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return Figure.of(known).text() if known else "not known"


def _parts(results: Results) -> Details:
    names = (_OURS, _OURS_BESIDE, _LARGE)
    rows = [
        (meaning, *(_figure([m.facts["parts"][part] for m in results[name]]) for name in names))
        for part, meaning in _PARTS.items()
    ]
    rest = [
        _figure([m.seconds - sum(m.facts["parts"][part] for part in _PARTS) for m in results[name]]) for name in names
    ]
    reading = [_figure([m.facts["parts"]["read"] for m in results[name]]) for name in names]
    return Details(
        "The seconds of this project's load into PostgreSQL",
        ("part", *names),
        [*rows, ("everything else", *rest), (_READING, *reading)],
    )
