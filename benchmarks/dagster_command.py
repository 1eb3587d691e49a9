"""Runs ``dagster asset materialize`` as a user does, and measures it from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Measurement
from benchmarks.process import PROJECT, run_python


def materialize(
    taxis: Sequence[str],
    months: str,
    *,
    source: Path,
    home: Path,
    settings: Mapping[str, str] | None = None,
) -> Measurement:
    """Materialize all assets up to the taxis' main tables in DuckDB.

    Args:
        taxis: Names of the taxis.
        months: A month, or a range with three dots.
        source: Folder with the raw files.
        home: An empty folder for everything that the run writes.
        settings: Further settings of the project.

    Returns:
        Wall time and memory peak of the whole command, and what the run recorded (``dagster_runs.recorded``).

    Raises:
        BenchmarkError: The command failed.
    """
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True)
    (dagster_home / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    places = {"TAXI_HOME": str(home), "TAXI_SOURCE": str(source), "DAGSTER_HOME": str(dagster_home)}
    finished = run_python(
        [
            *("-m", "dagster", "asset", "materialize", "-m", "taxi_assets.definitions"),
            *("--select", " or ".join(f'+key:"duckdb/{taxi}_tripdata"' for taxi in taxis)),
            *("--partition-range" if "..." in months else "--partition", months),
        ],
        {**places, **(settings or {})},
    )
    noted = run_python(["-m", "benchmarks.tasks", "dagster_runs.recorded", "{}"], places)
    return Measurement(finished.seconds, finished.peak_bytes, json.loads(noted.output.splitlines()[-1]))
