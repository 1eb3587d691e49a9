"""A project of its own for each test: a source to put files in, a home, and runs over the real asset graph."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from taxi_assets.build import build_definitions
from taxi_assets.dagster_errors import NO_RETRIES
from taxi_assets.months import Month
from taxi_assets.report.resources import ReportFolder
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets_tests.csv_files import Trip, put_trips
from taxi_assets_tests.migrations import read_migrations_once

read_migrations_once()

GREEN = get_taxi("green")
YELLOW = get_taxi("yellow")
JANUARY, FEBRUARY, MARCH, APRIL = (Month(2019, number) for number in range(1, 5))
ALL_STAGES = ("raw", "month", "main")


@dataclass(frozen=True)
class Outcome:
    """What a run came to, as Dagster recorded it."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance

    @property
    def success(self) -> bool:
        return self.result.success

    @property
    def failure(self) -> str:
        """Description of the one step that failed, as the run page shows it."""
        (event,) = [event for event in self.result.all_events if event.is_step_failure]
        assert event.step_failure_data.user_failure_data is not None, event.step_failure_data.error_display_string
        return event.step_failure_data.user_failure_data.description

    @property
    def error(self) -> str:
        """Whole text of the one step's failure, for failures of Dagster's own making too, and of its causes."""
        (event,) = [event for event in self.result.all_events if event.is_step_failure]
        return f"{event.step_failure_data.error_display_string}\n{self.log}"

    @property
    def log(self) -> str:
        """What the run said in its log, a message a line."""
        events = self.instance.all_logs(self.result.run_id)
        return "\n".join(event.user_message for event in events if not event.is_dagster_event)

    def materialized(self, key: str) -> dict[str, Mapping[str, Any]]:
        """Metadata of each month that was recorded as materialized for an asset."""
        found = {}
        for event in self.result.all_events:
            if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
                materialization = event.step_materialization_data.materialization
                if materialization.asset_key == dg.AssetKey.from_user_string(key):
                    assert materialization.partition not in found, "recorded twice"
                    found[materialization.partition] = {
                        name: value.value for name, value in materialization.metadata.items()
                    }
        return found

    def checks(self, key: str) -> dict[str, dg.AssetCheckEvaluation]:
        """Evaluations of an asset's checks by their names."""
        evaluations = self.result.get_asset_check_evaluations()
        return {e.check_name: e for e in evaluations if e.asset_key == dg.AssetKey.from_user_string(key)}


class Project:
    """A source folder, a home with landing zone and warehouse, and a Dagster instance in memory.

    Attributes:
        kind: The warehouse that runs load into.
        retries: How often a step is tried again.
    """

    kind: WarehouseKind = WAREHOUSE
    retries: dg.RetryPolicy = NO_RETRIES

    def __init__(self, folder: Path, *, address: str | None = None) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.home = folder / "home"
        self.landing = self.home / "landing"
        self.database = self.home / "warehouse.duckdb"
        self.address = address or str(self.source)
        self.instance = dg.DagsterInstance.ephemeral()
        self.source.mkdir(exist_ok=True)

    def put(self, trips: Sequence[Trip], month: Month = JANUARY, taxi: Taxi = GREEN) -> Path:
        """Put a month's file in the source."""
        return put_trips(self.source, taxi, month, trips)

    def put_zones(self, count: int = 265) -> None:
        """Put a list of zones in the source."""
        path = self.source / "misc" / "taxi_zone_lookup.csv"
        path.parent.mkdir(exist_ok=True)
        lines = [f'{number},"Borough {number % 5}","Zone {number}","Boro Zone"' for number in range(1, count + 1)]
        path.write_text("\n".join(['"LocationID","Borough","Zone","service_zone"', *lines, ""]))

    def warehouse(self, **settings: Any) -> DuckDBWarehouse:
        return DuckDBWarehouse(database=str(self.database), **settings)

    def trip_source(self, *, keep_raw_files: bool = True) -> TripSource:
        return TripSource(
            address=self.address,
            landing=str(self.landing),
            keep_raw_files=keep_raw_files,
            attempts=2,
            backoff_seconds=0.01,
        )

    def definitions(self, *, keep_raw_files: bool = True, **warehouse_settings: Any) -> dg.Definitions:
        warehouse = self.warehouse(**warehouse_settings)
        source = self.trip_source(keep_raw_files=keep_raw_files)
        resources = {
            "source": source,
            "duckdb": warehouse,
            "duckdb_io_manager": DuckDBIOManager(warehouse=warehouse),
            "report_folder": ReportFolder(folder=str(self.home / "report")),
        }
        return build_definitions(warehouses=[WAREHOUSE], resources=resources, retries=self.retries)

    def keys(self, taxi: Taxi) -> dict[str, dg.AssetKey]:
        """Keys of a taxi's assets by their stages."""
        return {
            "raw": dg.AssetKey(["raw", taxi.table]),
            "month": self.kind.key(taxi.month_asset),
            "main": self.kind.key(taxi.table),
        }

    def run(
        self,
        months: str = str(JANUARY),
        taxi: Taxi = GREEN,
        *,
        stages: Sequence[str] = ALL_STAGES,
        checks: bool | Sequence[str] = True,
        **settings: Any,
    ) -> Outcome:
        """Materialize a month (``2019-01``) or a range (``2019-01...2019-03``) in this process.

        Args:
            months: What ``--partition`` or ``--partition-range`` would say.
            taxi: Whose months.
            stages: Which of the stages in ``keys`` to materialize.
            checks: Whether checks of these are evaluated too, or the checks of which stages are evaluated.
            settings: For ``definitions``.
        """
        keys = self.keys(taxi)
        judged = (stages if checks else ()) if isinstance(checks, bool) else checks
        selection = dg.AssetSelection.assets(*(keys[stage] for stage in stages)).without_checks()
        if judged:
            selection |= dg.AssetSelection.checks_for_assets(*(keys[stage] for stage in judged))
        definitions = self.definitions(**settings)
        job = dg.define_asset_job("run", selection).resolve(asset_graph=definitions.resolve_asset_graph())
        first, dots, last = months.partition("...")
        tags = {"dagster/partition": first}
        if dots:
            tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        result = job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)
        return Outcome(result, self.instance)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table in the order of their ids, as Python values."""
        with duckdb.connect(self.database, read_only=True) as connection:
            result = connection.execute(f'FROM "{table}" ORDER BY file_month, unique_row_id')
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def digest(self, table: str) -> tuple[int, int]:
        """Number of rows and a sum of hashes over whole rows, for tables that are too large to compare in Python."""
        with duckdb.connect(self.database, read_only=True) as connection:
            statement = f'SELECT count(*), coalesce(sum(CAST(hash("t") AS HUGEINT)), 0) FROM "{table}" AS "t"'
            return connection.execute(statement).fetchall()[0]

    def everything(self) -> dict[str, Any]:
        """All that is in the warehouse: names, comments, columns and rows of every table and view."""
        if not self.database.exists():
            return {}
        with duckdb.connect(self.database, read_only=True) as connection:
            tables = connection.execute("SELECT table_name, table_type FROM information_schema.tables").fetchall()
            return {
                "columns": connection.execute(
                    "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
                    "WHERE NOT internal ORDER BY ALL"
                ).fetchall(),
                "comments": connection.execute(
                    "SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL"
                ).fetchall(),
                **{
                    f"{kind} {name}": connection.execute(f'FROM "{name}" ORDER BY ALL').fetchall()
                    for name, kind in tables
                },
            }

    def landed_names(self, taxi: Taxi = GREEN) -> list[str]:
        """Names of the taxi's files in the landing zone, without hidden ones."""
        folder = self.landing / taxi.name
        return sorted(path.name for path in folder.glob("[!.]*")) if folder.is_dir() else []


def processes(*modules: str) -> ForkServerContext:
    """Makes child processes that have everything imported already, and these modules, so that many are cheap."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["taxi_assets.build", "taxi_assets_tests.project", *modules])
    return context
