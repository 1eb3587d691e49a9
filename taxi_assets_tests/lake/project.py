"""A project whose warehouse is a lake in its home."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from typing_extensions import override

from taxi_assets.build import build_definitions
from taxi_assets.months import Month
from taxi_assets.source.raw_files import trip_file
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses import lake
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.warehouses.lake.io_manager import LakeIOManager
from taxi_assets.warehouses.lake.warehouse import LakeWarehouse
from taxi_assets_tests.project import GREEN, JANUARY, Project

LOG = logging.getLogger(__name__)

Changes = tuple[int, int, int]
"""Rows inserted, updated and deleted."""


class LakeProject(Project):
    """A source folder, a landing zone, a lake, and a Dagster instance in memory."""

    kind = lake.WAREHOUSE

    def __init__(self, folder: Path, *, address: str | None = None) -> None:
        super().__init__(folder, address=address)
        self.root = self.home / "lake"
        self.warehouses: Sequence[WarehouseKind] = [lake.WAREHOUSE]

    def lake(self, **settings: Any) -> LakeWarehouse:
        return LakeWarehouse(**({"address": str(self.root)} | settings))

    @override
    def definitions(self, *, keep_raw_files: bool = True, **warehouse_settings: Any) -> dg.Definitions:
        warehouse = self.lake(**warehouse_settings)
        resources = {
            "source": self.trip_source(keep_raw_files=keep_raw_files),
            "lake": warehouse,
            "lake_io_manager": LakeIOManager(warehouse=warehouse),
        }
        if embedded.WAREHOUSE in self.warehouses:
            resources["duckdb"] = self.warehouse()
        return build_definitions(warehouses=self.warehouses, resources=resources, retries=self.retries)

    def load(self, month: Month = JANUARY, taxi: Taxi = GREEN, *, merge: bool = True, **settings: Any) -> Changes:
        """Land, load and merge a month as a run does, without Dagster; return the rows inserted, updated, deleted."""
        lake, source = self.lake(**settings), self.trip_source()
        source.land(trip_file(taxi, month), LOG)
        lake.load_month(taxi, month, source.current(trip_file(taxi, month)), LOG)
        return self.merge(month, taxi, **settings) if merge else (0, 0, 0)

    def merge(self, month: Month = JANUARY, taxi: Taxi = GREEN, **settings: Any) -> Changes:
        """Merge a loaded month; return the rows inserted, updated, deleted."""
        merged = self.lake(**settings).merge_month(taxi, month, LOG)
        return merged.inserted, merged.updated, merged.deleted

    def query(self, table: str, statement: str = "FROM trips ORDER BY ALL") -> list[Any]:
        """What a stranger finds who reads a table's folder with DuckDB, under the name ``trips``."""
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW trips AS FROM '{self.root}/{table}/**/*.parquet'")
            return connection.execute(statement).fetchall()

    @override
    def rows(self, table: str) -> list[dict[str, Any]]:
        with duckdb.connect() as connection:
            files = f"{self.root}/{table}/**/*.parquet"
            result = connection.execute(
                "FROM read_parquet($files) ORDER BY file_month, unique_row_id", {"files": files}
            )
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    @override
    def digest(self, table: str) -> tuple[int, int]:
        if not self.files(table):
            return 0, 0
        statement = 'SELECT count(*), coalesce(sum(CAST(hash("trips") AS HUGEINT)), 0) FROM trips'
        ((rows, total),) = self.query(table, statement)
        return rows, int(total)

    def files(self, *tables: str) -> list[str]:
        """All that a reader may come across who looks for some tables, or for any, in the lake."""
        names = tables or [folder.name for folder in self.root.glob("*") if folder.name != "versions"]
        found = (file for name in names for file in (self.root / name).glob("**/*") if file.is_file())
        return sorted(file.relative_to(self.root).as_posix() for file in found)

    def months(self, table: str = "green_tripdata") -> list[str]:
        """The folders of the months that a table has."""
        return [Path(name).parent.name for name in self.files(table)]

    @override
    def everything(self) -> dict[str, Any]:
        """All that readers find in the lake: each file with its content."""
        return {name: (self.root / name).read_bytes() for name in self.files()}

    def run_zones(self) -> dg.ExecuteInProcessResult:
        """Materialize the zones, from their file to the lake, and check them."""
        keys = [dg.AssetKey(["raw", "taxi_zones"]), self.kind.key("taxi_zones")]
        selection = dg.AssetSelection.assets(*keys)
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=self.definitions().resolve_asset_graph())
        return job.execute_in_process(instance=self.instance, raise_on_error=False)
