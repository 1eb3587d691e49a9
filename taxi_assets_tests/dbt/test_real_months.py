"""Real published months give the same results in DuckDB and PostgreSQL, row by row, and add up to the cent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from taxi_assets_tests.dbt.project import DbtProject, duckdb_rows
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.postgres.conftest import schema_of_ones_own

pytestmark = [needs_real_data, pytest.mark.xdist_group("dbt on real months")]


def test_real_months_give_the_same_trips_and_the_same_revenue_everywhere(
    home: None, tmp_path: Path, server_url: str
) -> None:
    with schema_of_ones_own(server_url) as schema:
        _compare(tmp_path, server_url, schema)


def _compare(tmp_path: Path, server_url: str, schema: str) -> None:
    project = DbtProject(tmp_path, server_url, schema, address=str(REAL_DATA / "source"))
    for taxi, month in (("green", "2020-10"), ("yellow", "2019-01")):
        keys = [["raw", f"{taxi}_tripdata"]]
        keys += [[w, f"{taxi}_tripdata{part}"] for w in ("duckdb", "postgres") for part in ("_month", "")]
        selection = dg.AssetSelection.assets(*map(dg.AssetKey, keys)).without_checks()
        assert project.run_selected(selection, month).success
    zones = dg.AssetSelection.assets(*(dg.AssetKey([p, "taxi_zones"]) for p in ("raw", "duckdb", "postgres")))
    assert project.run_selected(zones).success

    for warehouse in ("duckdb", "postgres"):
        outcome = project.run_command("build", warehouse=warehouse)
        assert outcome.success, outcome.error

    for model in ("fct_trips", "dm_monthly_zone_revenue"):
        assert Counter(project.results("duckdb", model)) == Counter(project.results("postgres", model))
    revenue = sum(row["revenue_monthly_total_amount"] for row in duckdb_rows(project, "dm_monthly_zone_revenue"))
    assert len(duckdb_rows(project, "fct_trips")) == 95_120 + 10_000
    with psycopg.connect(server_url) as connection:
        total = sum(
            connection.execute(
                sql.SQL("SELECT sum(total_amount) FROM {}").format(sql.Identifier(schema, f"{taxi}_tripdata"))
            ).fetchall()[0][0]
            for taxi in ("green", "yellow")
        )
    assert revenue == total
