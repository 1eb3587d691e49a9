"""Carries months from a source into warehouses, as a run does: verified, landed, loaded, checked, merged.

It is called in processes of its own, so that a crash is an outcome and not the end of the suite.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from taxi_assets.assets.carry_months import MonthReport, Selection, carry_months
from taxi_assets.assets.stages import RunContext
from taxi_assets.assets.trips import trip_stages
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import get_taxi
from taxi_assets.warehouses import all_warehouses

_log = logging.getLogger("chaos")
_log.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Project:
    """A project to load in.

    Attributes:
        home: Its folder, with the landing zone and the DuckDB file.
        source: Settings of its source: ``address``, or ``feed`` for Parquet, and limits of patience.
        warehouses: Settings of each warehouse that it loads into, by the warehouse's name.
        temporary: Folder for temporary files.
    """

    home: Path
    source: Mapping[str, Any]
    warehouses: Mapping[str, Mapping[str, Any]]
    temporary: Path | None = None

    @property
    def landing(self) -> Path:
        """The landing zone."""
        return self.home / "landing"

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"


@dataclass(frozen=True)
class Problem:
    """An error that a month ended with.

    Attributes:
        asset: The asset that could not be made.
        kind: Name of the error's class.
        is_ours: Whether it is one of the project's own errors, which are written for people.
        text: What it says.
    """

    asset: str
    kind: str
    is_ours: bool
    text: str


@dataclass(frozen=True)
class Attempt:
    """What an attempt to load came to.

    Attributes:
        problems: The errors, by month; empty where every month went through.
        seconds: How long it took.
    """

    problems: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether every month went through."""
        return not any(self.problems.values())

    def problems_in(self, warehouse: str) -> Sequence[Problem]:
        """The errors that kept months out of a warehouse: its own, and those of landing."""
        return [
            problem
            for problems in self.problems.values()
            for problem in problems
            if problem.asset.split("/")[0] in (warehouse, "raw", *(("gcs",) if warehouse == "bigquery" else ()))
        ]


def load(project: Project, taxi_name: str, months: Sequence[str], *, at_once: int = 1) -> Attempt:
    """Carry a taxi's months through, with all checks, and say what came of it."""
    start = time.monotonic()
    taxi = get_taxi(taxi_name)
    kinds = [kind for kind in all_warehouses() if kind.name in project.warehouses]
    stages = trip_stages(taxi, kinds)
    selection = Selection(
        taxi,
        stages,
        {stage.key for stage in stages},
        {dg.AssetCheckKey(stage.key, check.name) for stage in stages for check in stage.checks},
    )
    with _temporary_files(project.temporary):
        context = RunContext(_source(project), SimpleNamespace(**resources(project)), _log)
        reports = carry_months([Month.parse(month) for month in months], selection, context, at_once=at_once)
        problems = {str(report.month): _problems(report) for report in reports}
    return Attempt(problems, time.monotonic() - start)


def land(project: Project, taxi_name: str, month: str) -> Attempt:
    """Land a month's file, and do no more."""
    start = time.monotonic()
    problems: Sequence[Problem] = ()
    source = _source(project)
    with _temporary_files(project.temporary):
        try:
            source.land(source.trip_file(get_taxi(taxi_name), Month.parse(month)), _log)
        except Exception as error:
            problems = [_problem(f"raw/{taxi_name}_tripdata", error)]
    return Attempt({month: problems}, time.monotonic() - start)


def rebuild(project: Project) -> str:
    """Create the DuckDB file again from the landing zone, as the job ``rebuild_duckdb`` does; returns what failed."""
    from taxi_assets.warehouses.duckdb import rebuild as rebuilding  # noqa: PLC0415 - seldom needed

    try:
        rebuilding.rebuild(resources(project)["duckdb"], _source(project), _log)
    except Exception as error:  # whatever it is, it is what is judged
        return f"{type(error).__name__}: {error}"
    return ""


def resources(project: Project) -> dict[str, Any]:
    """The warehouses' resources by their names."""
    # Each driver is imported where it is used.
    made: dict[str, Any] = {}
    for name, settings in project.warehouses.items():
        match name:
            case "duckdb":
                from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse  # noqa: PLC0415

                made[name] = DuckDBWarehouse(database=str(project.database), **settings)
            case "postgres":
                from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse  # noqa: PLC0415

                made[name] = PostgresWarehouse(**settings)
            case "bigquery":
                from taxi_assets.gcp.resources import GcsBucket  # noqa: PLC0415
                from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse  # noqa: PLC0415

                bucket = GcsBucket(**settings["bucket"])
                others = {key: value for key, value in settings.items() if key != "bucket"}
                made["gcs"] = bucket
                made[name] = BigQueryWarehouse(**others, objects=bucket)
    return made


def _source(project: Project) -> TripSource:
    return TripSource(landing=str(project.landing), **project.source)


@contextmanager
def _temporary_files(folder: Path | None) -> Iterator[None]:
    """Have temporary files made in a folder."""
    if folder is not None:
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = str(folder)
    yield


def _problems(report: MonthReport) -> Sequence[Problem]:
    return [_problem(key.to_user_string(), error) for key, error in report.errors.items()]


def _problem(asset: str, error: BaseException) -> Problem:
    is_ours = isinstance(error, TaxiAssetsError)
    return Problem(asset, type(error).__name__, is_ours, str(error) if is_ours else f"{error!r:.500}{_where(error)}")


def _where(error: BaseException) -> str:
    """Where in the project an unexpected error came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "taxi_assets" in frame.filename]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
