"""A taxi is one file: a copy of the package to which one was added has the taxi everywhere.

Programs run in child processes, as a user starts them. Where BigQuery's emulator is missing or can't do all that is
needed, the tests go without BigQuery.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emulators.environment import environment
from emulators.errors import EmulatorError
from emulators.running import Emulators, running_emulators
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.paths import MADE_TAXI, PROJECT, WITHOUT_DBT
from taxi_assets_tests.postgres.conftest import schema_of_ones_own, server_url  # noqa: F401 - a fixture

pytestmark = pytest.mark.xdist_group("a taxi is one file")

FIGURES_WITHOUT_AMOUNTS = [
    "hours_of_the_day",
    "trips_per_day",
    "busiest_zones",
    "hours_by_weekday",
    "rows_with_problems",
]


@dataclass(frozen=True)
class Copy:
    """A copy of the package with one more taxi, and a home."""

    folder: Path
    home: Path
    variables: dict[str, str]

    def run(self, *command: str, **variables: str) -> str:
        """Run a Python program of the copy, which must succeed, and return what it printed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_", "GCP_"))}
        ours = {"PYTHONPATH": str(self.folder), "TAXI_HOME": str(self.home), "DAGSTER_HOME": str(self.home)}
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**kept, **ours, "COLUMNS": "200", **WITHOUT_DBT, **self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def materialize(self, *keys: str, months: str, **variables: str) -> None:
        """Materialize assets and evaluate their checks with Dagster's own command."""
        selection = " or ".join(f'key:"{key}"' for key in keys)
        command = ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", "--select", selection)
        self.run(*command, "--partition-range", months, **variables)

    def checks(self) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
        """The last evaluation of each check, by the keys of its asset and its name."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            records = [
                record
                for run in reversed(instance.get_runs())
                for record in instance.get_records_for_run(
                    run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
                ).records
            ]
        found = [record.event_log_entry.dagster_event.asset_check_evaluation_data for record in records]
        return {(each.asset_key.to_user_string(), each.check_name): each for each in found}

    def rows(self, statement: str) -> list[tuple]:
        with duckdb.connect(self.home / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(statement).fetchall()

    def page(self, warehouse: str, name: str) -> str:
        return (self.home / "report" / warehouse / f"{name}.html").read_text("utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(PROJECT / "taxi_assets", folder / "taxi_assets")
    shutil.copy(MADE_TAXI, folder / "taxi_assets" / "taxis")
    return folder


def copy_at(package: Path, home: Path, **variables: str) -> Copy:
    shutil.copy(PROJECT / "dagster.yaml", home)
    return Copy(package, home, variables)


@pytest.fixture(scope="module")
def google() -> Iterator[Emulators | None]:
    try:
        environment()
    except EmulatorError:
        yield None
        return
    with running_emulators() as running:
        yield running if running.bigquery_name == "local-bigquery" else None


@pytest.fixture(scope="module")
def loaded(
    package: Path,
    tmp_path_factory: pytest.TempPathFactory,
    server_url: str,  # noqa: F811
    google: Emulators | None,
) -> Iterator[tuple[Copy, list[str]]]:
    """Both months of the taxi's sample in all warehouses, and the names of these."""
    home = tmp_path_factory.mktemp("home")
    # The emulator can't make tables for two months at once.
    variables = {
        "TAXI_SOURCE": "sample",
        "TAXI_TAXIS": "limousine",
        "TAXI_POSTGRES_URL": server_url,
        "TAXI_MONTHS_AT_ONCE": "1",
    }
    warehouses = ["duckdb", "postgres"]
    if google is not None:
        project = GcpProject(tmp_path_factory.mktemp("google"), google)
        project.set_up()
        variables |= {
            **google.variables(),
            "GCP_BUCKET_NAME": project.bucket,
            "GCP_DATASET": project.dataset,
        }
        warehouses.append("bigquery")
    with schema_of_ones_own(server_url) as schema:
        copy = copy_at(package, home, **variables, TAXI_POSTGRES_SCHEMA=schema)
        copy.materialize(*keys(warehouses), *pages(warehouses), months="2019-03...2019-04")
        yield copy, warehouses


def keys(warehouses: list[str]) -> list[str]:
    stages = [f"{warehouse}/limousine_tripdata{part}" for warehouse in warehouses for part in ("_month", "")]
    before = ["gcs/limousine_tripdata", "bigquery/limousine_tripdata_ext"] if "bigquery" in warehouses else []
    return ["raw/limousine_tripdata", *before, *stages]


def pages(warehouses: list[str]) -> list[str]:
    return [f"report/{warehouse}/month" for warehouse in warehouses]


def test_the_demo_loads_it_beside_the_others_and_names_it(package: Path, tmp_path: Path) -> None:
    copy = copy_at(package, tmp_path, TAXI_TAXIS="green,limousine,yellow")
    output = copy.run("taxi_assets.demo")
    # Without a choice of months, those are loaded that all of them have.
    assert "Loading 2019-03 to 2019-04 of green, limousine and yellow from sample (" in output
    assert "(tables green_tripdata, limousine_tripdata, yellow_tripdata and taxi_zones)" in output
    assert "make demo SOURCE=release MONTHS=2019-03...2019-04" in output
    rows = dict(copy.rows("SELECT filename, count(*) FROM limousine_tripdata GROUP BY ALL"))
    shown = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│ limousine" in line]
    assert [(month, in_file, in_main, inserted) for _, month, in_file, in_main, inserted, *_ in shown] == [
        (month, *[f"{rows[f'limousine_tripdata_{month}.csv']:,}"] * 3) for month in ("2019-03", "2019-04")
    ]
    page = copy.page("duckdb", "all_months")
    assert "<h1>Green taxi, limousine and yellow taxi trips, March 2019 to April 2019</h1>" in page
    assert table_of(page)["trips"][1] == f"{sum(rows.values()):,}"
    assert [table_of(page)[name][1] for name in ("revenue (US dollars)", "tips (US dollars)")] == ["n/a", "n/a"]
    assert table_of(page)["mean distance (miles)*"][1] == "n/a"
    assert float(table_of(page)["mean duration (minutes)*"][1]) > 5


def test_every_check_passes_in_every_warehouse(loaded: tuple[Copy, list[str]]) -> None:
    copy, warehouses = loaded
    checks = copy.checks()
    assert [(key, check.metadata["months"].value) for key, check in checks.items() if not check.passed] == []
    for warehouse in warehouses:
        assert (f"{warehouse}/limousine_tripdata_month", "values_are_plausible") in checks
        compared = (f"{warehouse}/limousine_tripdata", "same_in_all_warehouses") in checks
        assert compared == (warehouse != "duckdb")


def test_its_ids_are_made_of_the_columns_that_its_definition_names(loaded: tuple[Copy, list[str]]) -> None:
    copy, _ = loaded
    identity = 'concat(dispatching_base_num, pickup_datetime, "dropOff_datetime", "PUlocationID")'
    ((rows, distinct, plain),) = copy.rows(
        f"SELECT count(*), count(DISTINCT (file_month, {identity})), count(*) FILTER (unique_row_id = md5({identity})) "
        "FROM limousine_tripdata"
    )
    assert rows > distinct == plain


def test_a_report_of_nothing_else_has_no_figures_about_amounts(loaded: tuple[Copy, list[str]]) -> None:
    copy, warehouses = loaded
    for warehouse in warehouses:
        page = copy.page(warehouse, "2019-03")
        assert "<h1>Limousine trips, March 2019</h1>" in page
        assert re.findall(r'<figure id="(\w+)">', page) == FIGURES_WITHOUT_AMOUNTS
        assert "US dollars" not in page
        assert "miles" not in page
        ((trips, zones),) = copy.rows(
            "SELECT count(*), count(DISTINCT pulocationid) FROM limousine_tripdata WHERE file_month = DATE '2019-03-01'"
        )
        facts = table_of(page)
        assert (facts["trips"], facts["zones with pickups"]) == ([f"{trips:,}"], [f"{zones:,}"])
        assert table_of(page, "completeness")["2019-03"] == ["limousine", f"{trips:,}", "sample month, not compared"]


def test_a_month_of_the_feed_may_spell_its_columns_in_another_way(
    loaded: tuple[Copy, list[str]], tmp_path: Path
) -> None:
    copy, warehouses = loaded
    moment = datetime.fromisoformat("2019-04-01T12:30:00")
    pq.write_table(
        pa.table(
            {
                "Dispatching_base_num": ["B00001", "B00002", "B00002"],
                "pickup_datetime": pa.array([moment] * 3, pa.timestamp("us")),
                "dropoff_datetime": pa.array([moment, None, None], pa.timestamp("us")),
                "PULocationID": pa.array([1.0, None, None], pa.float64()),
                "DOLocationID": pa.array([265, 7, 7], pa.int64()),
                "SR_flag": pa.nulls(3),
                "affiliated_base_number": ["B00003", None, None],
            }
        ),
        tmp_path / "limousine_tripdata_2019-04.parquet",
    )
    feed = {"TAXI_SOURCE": "feed", "TAXI_FEED_URL": str(tmp_path)}
    copy.materialize(*keys(warehouses), months="2019-04...2019-04", **feed)
    checks = copy.checks()
    for warehouse in warehouses:
        assert checks[f"{warehouse}/limousine_tripdata", "rows_match_file"].passed
        if warehouse != "duckdb":
            assert checks[f"{warehouse}/limousine_tripdata", "same_in_all_warehouses"].passed
    rows = copy.rows(
        'SELECT dispatching_base_num, "dropOff_datetime", "PUlocationID", "DOlocationID", "SR_Flag" '
        "FROM limousine_tripdata WHERE filename = 'limousine_tripdata_2019-04.parquet' ORDER BY ALL"
    )
    assert rows == [("B00001", moment, 1, 265, None), *[("B00002", None, None, 7, None)] * 2]


def table_of(page: str, section: str = "side-by-side") -> dict[str, list[str]]:
    """Rows of a section's table, by what stands at their beginning."""
    (text,) = re.findall(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    return {row[0]: row[1:] for row in rows if row}
