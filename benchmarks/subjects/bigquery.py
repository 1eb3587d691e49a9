"""Measures reading rows from BigQuery by the Storage Read API, compared with reading them as JSON."""

from __future__ import annotations

from typing import Final

from benchmarks.figures import Figure, peak_mib, ratio
from benchmarks.harness import Bench, Measurement, Variant
from benchmarks.process import BenchmarkError
from benchmarks.report import Line, Section, at_most
from benchmarks.subjects.load import MONTH, TAXI
from emulators.environment import PYTHON_VARIABLE
from emulators.errors import EmulatorError
from emulators.running import Emulators, running_emulators
from taxi_assets.taxis import get_taxi

_PART_OF_A_MONTH: Final = 15
"""The emulator takes minutes for the JSON of a whole month."""

_MICROSECONDS: Final = 1e6
_LIMIT_MICROSECONDS: Final = 5.0
_STREAMS, _JSON = "Storage Read API", "JSON"


def measure(bench: Bench) -> Section:
    """Measure how much the CPUs work for a row, in each way."""
    rows = bench.scale.rows // _PART_OF_A_MONTH
    source = bench.source([TAXI], [MONTH], rows)
    try:
        with bench.scratch() as folder, running_emulators(bench.say) as emulators:
            if not emulators.bigquery_storage:
                raise BenchmarkError(
                    f"The emulator {emulators.bigquery_name} has no Storage Read API to measure: install a Python 3.13 "
                    f"or name one in {PYTHON_VARIABLE}, and delete .venv-emulators, then run again."
                )
            landing, database = folder / "landing", folder / "trips.duckdb"
            bench.task("files.land", source=source, landing=landing, taxi=TAXI, month=MONTH)
            bench.task("duckdb_load.load", landing=landing, database=database, taxi=TAXI, month=MONTH)
            table = get_taxi(TAXI).table
            bench.task("bigquery_read.fill", bigquery=emulators.bigquery, database=database, table=table)
            results = bench.side_by_side(
                {
                    _STREAMS: _read(bench, emulators, rows, storage=emulators.bigquery_storage),
                    _JSON: _read(bench, emulators, rows, storage=None),
                }
            )
    except EmulatorError as error:
        raise BenchmarkError(str(error)) from error
    per_row = Figure.of(each.seconds / rows * _MICROSECONDS for each in results[_STREAMS])
    return Section(
        "Reading rows from BigQuery",
        how=(
            f"A table of {rows:,} trips with all columns is read as an asset gets it, from the emulator on the same "
            "machine. What counts is the time that the reading process keeps the CPUs busy, since the emulator answers "
            "more slowly than the service. The service compresses the streams and the emulator does not, so the bytes "
            "on the network are not measured."
        ),
        lines=[
            at_most(_LIMIT_MICROSECONDS, "CPU for each row by the Storage Read API", per_row, unit=" µs"),
            Line(
                "CPU for each row as JSON, compared with the Storage Read API",
                ratio(results[_JSON], results[_STREAMS]).text(" times", 0),
            ),
            Line("peak memory, Storage Read API", peak_mib(results[_STREAMS]).text(" MiB", 0)),
            Line("peak memory, JSON", peak_mib(results[_JSON]).text(" MiB", 0)),
        ],
    )


def _read(bench: Bench, emulators: Emulators, rows: int, *, storage: str | None) -> Variant:
    def run() -> Measurement:
        return bench.task(
            "bigquery_read.read", bigquery=emulators.bigquery, bigquery_storage=storage or None, rows=rows
        )

    return run
