"""A project whose warehouse is a schema of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from psycopg import sql
from psycopg.rows import dict_row
from typing_extensions import override

from taxi_assets.build import build_definitions
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import duckdb, postgres
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.warehouses.postgres.io_manager import PostgresIOManager
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse
from taxi_assets_tests.postgres.server import connect
from taxi_assets_tests.project import Project


class PostgresProject(Project):
    """A source folder, a landing zone, a schema of a server, and a Dagster instance in memory."""

    kind = postgres.WAREHOUSE

    def __init__(self, folder: Path, url: str, schema: str, *, address: str | None = None) -> None:
        super().__init__(folder, address=address)
        self.url, self.schema = url, schema
        self.warehouses: Sequence[WarehouseKind] = [postgres.WAREHOUSE]

    def postgres(self, **settings: Any) -> PostgresWarehouse:
        return PostgresWarehouse(**({"url": self.url, "schema_name": self.schema} | settings))

    @override
    def definitions(self, *, keep_raw_files: bool = True, **warehouse_settings: Any) -> dg.Definitions:
        warehouse = self.postgres(**warehouse_settings)
        resources = {
            "source": self.trip_source(keep_raw_files=keep_raw_files),
            "postgres": warehouse,
            "postgres_io_manager": PostgresIOManager(warehouse=warehouse),
        }
        if duckdb.WAREHOUSE in self.warehouses:
            resources["duckdb"] = self.warehouse()
        return build_definitions(warehouses=self.warehouses, resources=resources, retries=self.retries)

    def query(self, statement: str, *values: Any) -> list[Any]:
        """What the server answers to a statement in the project's schema."""
        with connect(self.url, self.schema) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    @override
    def rows(self, table: str) -> list[dict[str, Any]]:
        with connect(self.url, self.schema) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            statement = sql.SQL("SELECT * FROM {} ORDER BY file_month, unique_row_id")
            return cursor.execute(statement.format(sql.Identifier(table))).fetchall()

    @override
    def digest(self, table: str) -> tuple[int, int]:
        if not self.query("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)", table):
            return 0, 0
        ((rows, total),) = self.query(
            f'SELECT count(*), coalesce(sum(hashtextextended("t"::text, 0)::numeric), 0) FROM "{table}" AS "t"'
        )
        return rows, int(total)

    def tables(self) -> list[str]:
        """Names of all tables and views in the schema."""
        found = self.query(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
            " ORDER BY relname",
            f'"{self.schema}"',
        )
        return [name for (name,) in found]

    @override
    def everything(self) -> dict[str, Any]:
        """All that is in the schema: names, comments, columns and rows of every table and view.

        The transaction by which a comment says that a table was filled is left out: each load has its own.
        """
        comments = self.query(
            "SELECT relname, relkind, relispartition, attname, format_type(atttypid, atttypmod),"
            " regexp_replace(obj_description(oid, 'pg_class'), 'by transaction [0-9]+ ', ''),"
            " col_description(oid, attnum)"
            " FROM pg_class JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped"
            " WHERE relnamespace = %s::regnamespace AND relkind <> 'i' AND relkind <> 'I' ORDER BY 1, attnum",
            f'"{self.schema}"',
        )
        return {"columns": comments, **{name: self.digest(name) for name in self.tables()}}

    def run_zones(self, **settings: Any) -> dg.ExecuteInProcessResult:
        """Materialize the zones, from their file to the server, and check them."""
        keys = [dg.AssetKey(["raw", "taxi_zones"]), self.kind.key("taxi_zones")]
        return self._run(dg.AssetSelection.assets(*keys), **settings)

    def run_zones_check(self) -> dg.ExecuteInProcessResult:
        """Check the zones' table as it is."""
        return self._run(dg.AssetSelection.checks_for_assets(self.kind.key("taxi_zones")))

    def _run(self, selection: dg.AssetSelection, **settings: Any) -> dg.ExecuteInProcessResult:
        definitions = self.definitions(**settings)
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=definitions.resolve_asset_graph())
        return job.execute_in_process(instance=self.instance, raise_on_error=False)


def changes(
    project: PostgresProject, months: str = "2019-01", taxi: Taxi | None = None, **settings: Any
) -> list[tuple[int, int, int]]:
    """Run, and return the rows inserted, updated and deleted, as main's materializations say month by month."""
    outcome = project.run(months, **({"taxi": taxi} if taxi else {}), **settings)
    assert outcome.success, outcome.error
    merged = outcome.materialized(f"postgres/{(taxi.name if taxi else 'green')}_tripdata")
    return [(merged[month]["inserted"], merged[month]["updated"], merged[month]["deleted"]) for month in sorted(merged)]
