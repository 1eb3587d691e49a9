"""A project whose warehouse is a lake in its home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from typing_extensions import override

from taxi_assets.build import build_definitions
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses import lake
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.warehouses.lake.io_manager import LakeIOManager
from taxi_assets.warehouses.lake.warehouse import LakeWarehouse
from taxi_assets_tests.project import Project


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

    def files(self, table: str = "") -> list[str]:
        """All files that a reader may come across who looks for a table, or for anything, in the lake."""
        folder = self.root / table
        found = (path.relative_to(self.root) for path in folder.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in found if path.suffix != ".lock")

    @override
    def everything(self) -> dict[str, Any]:
        """All that is in the lake: each file with its content."""
        return {name: (self.root / name).read_bytes() for name in self.files()}

    def run_zones(self) -> dg.ExecuteInProcessResult:
        """Materialize the zones, from their file to the lake, and check them."""
        keys = [dg.AssetKey(["raw", "taxi_zones"]), self.kind.key("taxi_zones")]
        selection = dg.AssetSelection.assets(*keys)
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=self.definitions().resolve_asset_graph())
        return job.execute_in_process(instance=self.instance, raise_on_error=False)


def changes(
    project: LakeProject, months: str = "2019-01", taxi: Taxi | None = None, **settings: Any
) -> list[tuple[int, int, int]]:
    """Run, and return the rows inserted, updated and deleted, as main's materializations say month by month."""
    outcome = project.run(months, **({"taxi": taxi} if taxi else {}), **settings)
    assert outcome.success, outcome.error
    merged = outcome.materialized(f"lake/{(taxi.name if taxi else 'green')}_tripdata")
    return [(merged[month]["inserted"], merged[month]["updated"], merged[month]["deleted"]) for month in sorted(merged)]
