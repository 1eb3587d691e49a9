"""A project whose trips are in DuckDB and PostgreSQL, and what dbt made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb as engine

from taxi_assets.warehouses import duckdb, postgres
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import Outcome, Project

BY_MONTH = (
    "stg_green_tripdata",
    "stg_yellow_tripdata",
    "fct_trips",
    "fct_distinct_trips",
    "dm_monthly_zone_revenue",
)
"""The models downstream of the main tables of green and yellow taxis, each after those that it needs."""

REFERENCES = ("payment_types", "dim_zones")
"""The models that don't depend on trips."""

MODELS = (*REFERENCES, *BY_MONTH)
FHV_MODELS = ("stg_fhv_tripdata", "fct_fhv_trips")


class DbtProject(PostgresProject):
    """A source folder, both warehouses, and a Dagster instance in memory."""

    def __init__(self, folder: Path, url: str, schema: str, *, address: str | None = None) -> None:
        super().__init__(folder, url, schema, address=address)
        self.warehouses = [duckdb.WAREHOUSE, postgres.WAREHOUSE]

    def run_selected(self, selection: dg.AssetSelection, months: str = "") -> Outcome:
        """Materialize and check what is selected, for a range of months unless it is about none."""
        return run_selected(self, selection, months)

    def run_command(self, command: str, *, warehouse: str = "duckdb", months: str = "") -> Outcome:
        """Run the job dbt_command."""
        job = self.definitions().resolve_job_def("dbt_command")
        config = {"command": command, "warehouse": warehouse, "months": months}
        result = job.execute_in_process(
            run_config={"ops": {"dbt": {"config": config}}}, instance=self.instance, raise_on_error=False
        )
        return Outcome(result, self.instance)

    def results(self, warehouse: str, model: str) -> list[tuple[tuple[str, str], ...]]:
        """All rows of a model, in an order that doesn't depend on the warehouse, with every value as text."""
        return comparable(duckdb_rows(self, model) if warehouse == "duckdb" else self._postgres_rows(model))

    def _postgres_rows(self, table: str) -> list[Mapping[str, Any]]:
        names = [
            name
            for (name,) in self.query(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum",
                table,
            )
        ]
        return [dict(zip(names, row, strict=True)) for row in self.query(f'SELECT * FROM "{table}"')]


def run_selected(project: Project, selection: dg.AssetSelection, months: str = "") -> Outcome:
    """Materialize and check what is selected, for a range of months unless it is about none."""
    job = dg.define_asset_job("run", selection).resolve(asset_graph=project.definitions().resolve_asset_graph())
    first, dots, last = months.partition("...")
    tags = {"dagster/partition": first} if first else {}
    if dots:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return Outcome(job.execute_in_process(instance=project.instance, tags=tags, raise_on_error=False), project.instance)


def duckdb_rows(project: Project, table: str) -> list[dict[str, Any]]:
    """All rows of a table in the project's DuckDB file."""
    with engine.connect(project.database, read_only=True) as connection:
        found = connection.execute(f'FROM "{table}"')
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def comparable(rows: Iterable[Mapping[str, Any]]) -> list[tuple[tuple[str, str], ...]]:
    """Rows with every value as text, in an order that doesn't depend on the warehouse."""
    return sorted(tuple((name, _text(value)) for name, value in row.items()) for row in rows)


def _text(value: Any) -> str:
    """A value as text: amounts without the zeros that a warehouse puts at their end."""
    return format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)
