"""Measures one month into a DuckDB main table that already holds many others, and the same month again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import ratio, seconds
from benchmarks.harness import Bench, Measurement, Variant, copy_to_disk
from benchmarks.process import BenchmarkError
from benchmarks.report import Line, Section, at_most
from benchmarks.subjects.load import TAXI

_MONTH: Final = "2021-01"
_COPIED: Final = "2019-01"
_OTHERS: Final = [f"2019-{number:02d}" for number in range(2, 13)] + [f"2020-{number:02d}" for number in range(1, 13)]
_FEW, _MANY = 12, 24
_LIMIT: Final = 1.1

_EMPTY, _AFTER_FEW, _AFTER_MANY = "after 0 others", f"after {_FEW} others", f"after {_MANY} others"
_AGAIN, _CORRECTED = "again", "corrected"


def measure(bench: Bench) -> Section:
    """Measure the same load with 0, 12 and 24 other months in the main table, a rerun, and a correction."""
    source, copied = (bench.source([TAXI], [month], bench.scale.rows) for month in (_MONTH, _COPIED))
    with bench.scratch() as folder:
        landing, corrected = folder / "landing", folder / "landing-corrected"
        _land(bench, source, landing, _MONTH)
        _land(bench, copied, landing, _COPIED)
        edition = folder / "corrected"
        bench.task("files.correct_month", source=source, corrected=edition, taxi=TAXI, month=_MONTH)
        _land(bench, edition, corrected, _MONTH)

        few, many = folder / "few.duckdb", folder / "many.duckdb"
        with_month = folder / "with-month.duckdb"
        _load(bench, landing, few, _COPIED)
        _fill(bench, few, _OTHERS[: _FEW - 1])
        _fill(bench, copy_to_disk(few, many), _OTHERS[_FEW - 1 : _MANY - 1])
        _load(bench, landing, copy_to_disk(few, with_month), _MONTH)
        size = many.stat().st_size

        results = bench.side_by_side(
            {
                _EMPTY: _into_copy(bench, folder, landing, None),
                _AFTER_FEW: _into_copy(bench, folder, landing, few),
                _AFTER_MANY: _into_copy(bench, folder, landing, many),
                _AGAIN: _into_copy(bench, folder, landing, with_month),
                _CORRECTED: _into_copy(bench, folder, corrected, with_month),
            }
        )
    _require_changes(bench.scale.rows, results)
    return Section(
        "Loading a month beside many others",
        how=(
            f"The same month of {bench.scale.rows:,} rows is loaded into a main table that holds no other month, "
            f"{_FEW} or {_MANY} others of that size ({size / 2**30:.1f} GiB). Each measurement begins with a fresh "
            f"copy of the database. Before the rerun and the correction, the table holds {_FEW} others and the month "
            "itself. In the correction, one row in a hundred has another total, one in a thousand is missing, and one "
            "in a thousand is new. It is checked that each load inserts, updates and deletes exactly those rows."
        ),
        lines=_lines(results),
    )


def _land(bench: Bench, source: Path, landing: Path, month: str) -> None:
    bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=month)


def _load(bench: Bench, landing: Path, database: Path, month: str) -> Measurement:
    return bench.task("duckdb_load.load", landing=landing, database=database, taxi=TAXI, month=month)


def _fill(bench: Bench, database: Path, months: Sequence[str]) -> None:
    filled = bench.task("duckdb_load.add_months", database=database, taxi=TAXI, month=_COPIED, months=months)
    bench.say(f"  filled {len(months)} months in {filled.seconds:.0f} s, {filled.facts['bytes'] / 2**20:,.0f} MiB")


def _into_copy(bench: Bench, folder: Path, landing: Path, database: Path | None) -> Variant:
    def run() -> Measurement:
        target = folder / "measured.duckdb"
        target.unlink(missing_ok=True)
        if database is not None:
            copy_to_disk(database, target)
        return _load(bench, landing, target, _MONTH)

    return run


def _lines(results: Mapping[str, Sequence[Measurement]]) -> Sequence[Line]:
    what = "loading a month beside {} others, compared with none"
    return [
        at_most(_LIMIT, what.format(_FEW), ratio(results[_AFTER_FEW], results[_EMPTY]), unit=" times"),
        at_most(_LIMIT, what.format(_MANY), ratio(results[_AFTER_MANY], results[_EMPTY]), unit=" times"),
        *(Line(f"in seconds: {name}", seconds(results[name]).text(" s")) for name in (_EMPTY, _AFTER_FEW, _AFTER_MANY)),
        Line(f"loading an unchanged month again, beside {_FEW} others", seconds(results[_AGAIN]).text(" s")),
        Line(
            f"loading a corrected month (1.2 % of the rows), beside {_FEW} others",
            seconds(results[_CORRECTED]).text(" s"),
        ),
    ]


def _require_changes(rows: int, results: Mapping[str, Sequence[Measurement]]) -> None:
    """Check that each load has changed exactly the rows that it should.

    Raises:
        BenchmarkError: One has changed others.
    """
    new = (rows, 0, 0)
    thousandths = rows // 1000
    expected = dict.fromkeys((_EMPTY, _AFTER_FEW, _AFTER_MANY), new)
    expected |= {_AGAIN: (0, 0, 0), _CORRECTED: (thousandths, 10 * thousandths, thousandths)}
    for name, measurements in results.items():
        for measurement in measurements:
            changes = tuple(measurement.facts[change] for change in ("inserted", "updated", "deleted"))
            if changes != expected[name]:
                raise BenchmarkError(
                    f"Loading a month {name} inserted, updated and deleted {changes} rows instead of {expected[name]}."
                )
