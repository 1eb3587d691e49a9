"""The commands of the README, as a user runs them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from taxi_assets.months import Month
from taxi_assets.source.sample.origin import write_trips
from taxi_assets.taxis import get_taxi
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets_tests.paths import PROJECT, WITHOUT_DBT


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program of the virtual environment with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**kept, "TAXI_HOME": str(folder / "home"), "COLUMNS": "200", **WITHOUT_DBT, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "taxi_assets.demo", *options)


def table_rows(output: str) -> list[list[str]]:
    """The demo's table as lists of texts."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    return [row for row in cells if re.fullmatch(r"\d{4}-\d\d", row[1])]


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo(folder, "--months", "2019-01...2019-02")


def test_the_demo_shows_each_month_of_both_taxis(demonstrated) -> None:
    _, result = demonstrated
    assert result.returncode == 0, result.stderr
    rows = table_rows(result.stdout)
    assert [(row[0], row[1]) for row in rows] == [
        ("green", "2019-01"),
        ("green", "2019-02"),
        ("yellow", "2019-01"),
        ("yellow", "2019-02"),
    ]
    for _, _, in_file, in_main, inserted, updated, deleted, _ in rows:
        assert in_file == in_main == inserted
        assert (updated, deleted) == ("0", "0")
    assert result.stderr == ""


def test_the_demo_names_the_next_commands(demonstrated) -> None:
    _, result = demonstrated
    assert "make dev" in result.stdout
    assert "make demo SOURCE=release MONTHS=2019-01...2019-03" in result.stdout
    assert "sample (months that this machine makes up, not published ones)" in result.stdout
    assert "make remove-sample" in result.stdout


def test_the_demo_ends_with_the_path_of_the_report(demonstrated) -> None:
    folder, result = demonstrated
    path = folder / "home" / "report" / "duckdb" / "all_months.html"
    assert result.stdout.splitlines()[-1] == f"The report is in {path}"
    assert "January 2019 to February 2019" in path.read_text("utf-8")


def test_the_demo_again_changes_nothing_and_says_so(demonstrated) -> None:
    folder, _ = demonstrated
    rows = table_rows(demo(folder, "--months", "2019-01...2019-02").stdout)
    assert {tuple(row[4:7]) for row in rows} == {("0", "0", "0")}
    assert len(rows) == 4


def test_the_demo_fills_a_warehouse_with_both_taxis_and_the_zones(demonstrated) -> None:
    folder, _ = demonstrated
    with duckdb.connect(folder / "home" / "warehouse.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM taxi_zones").fetchall() == [(265,)]
        names = connection.execute("SELECT DISTINCT filename FROM yellow_tripdata ORDER BY 1").fetchall()
    assert names == [("yellow_tripdata_2019-01.csv",), ("yellow_tripdata_2019-02.csv",)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--months", "2021-06...2021-09"],
            (
                "2021-09 is not among the months of Green taxi: choose from 2019-01 to 2021-07, "
                "or set TAXI_SOURCE=auto for later ones."
            ),
        ),
        (["--months", "2020-13"], "“2020-13” is not a month: write it as YYYY-MM, for example 2020-10."),
        (["--months", "2020-02...2020-01"], "write the earlier month first, 2020-01...2020-02."),
        (["--taxi", "purple"], "There is no taxi called “purple”: choose from fhv, fhvhv, green, yellow."),
        (["--source", "nowhere"], "TAXI_SOURCE is “nowhere”"),
    ],
)
def test_the_demo_says_in_one_sentence_what_it_can_t_do(tmp_path: Path, options: list[str], sentence: str) -> None:
    result = demo(tmp_path, *options)
    assert result.returncode == 1
    assert sentence in " ".join(result.stdout.split())
    assert "Traceback" not in result.stdout + result.stderr


def test_the_demo_loads_months_from_a_folder_that_has_no_zones(tmp_path: Path) -> None:
    file = tmp_path / "mirror" / "green" / "green_tripdata_2019-01.csv.gz"
    file.parent.mkdir(parents=True)
    with file.open("wb") as target:
        write_trips(get_taxi("green"), Month(2019, 1), target, rows=500)
    result = demo(tmp_path, "--source", str(tmp_path / "mirror"), "--months", "2019-01", "--taxi", "green")
    assert result.returncode == 0
    assert [row[:4] for row in table_rows(result.stdout)] == [["green", "2019-01", "500", "500"]]
    assert "taxi_zone_lookup.csv is not in the folder" in " ".join(result.stdout.split())


def test_the_demo_shows_what_was_loaded_and_what_was_not(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    result = demo(tmp_path, "--source", str(tmp_path / "mirror"), "--months", "2019-01", "--taxi", "green")
    assert result.returncode == 1
    assert "green_tripdata_2019-01.csv.gz is not in the folder" in " ".join(result.stdout.split())
    assert "Not executing" not in result.stdout  # Dagster's own words about the steps after it


def test_the_demo_says_once_which_months_of_the_sample_remain(demonstrated, tmp_path: Path) -> None:
    folder, _ = demonstrated
    file = tmp_path / "mirror" / "green" / "green_tripdata_2019-03.csv.gz"
    file.parent.mkdir(parents=True)
    with file.open("wb") as target:
        write_trips(get_taxi("green"), Month(2019, 3), target, rows=500)
    said = demo(folder, "--source", str(tmp_path / "mirror"), "--months", "2019-03", "--taxi", "green").stdout
    assert said.count("Months of the sample are in DuckDB (green 2019-01") == 1


COMMANDS = {
    "dg": ("dagster_dg_cli.cli", "launch", "--target-path", str(PROJECT), "--assets"),
    "dagster": ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", "--select"),
}
"""The commands that materialize assets: the current one, which the pages name, and the one before it."""

each_command = pytest.mark.parametrize("command", COMMANDS)


def materialize(command: str, folder: Path, select: str, *months: str) -> subprocess.CompletedProcess[str]:
    return run(folder, *COMMANDS[command], select, *months, TAXI_SOURCE="sample")


def loaded(folder: Path, table: str) -> list[tuple[str, int]]:
    """The months of a table with their numbers of rows."""
    with duckdb.connect(folder / "home" / "warehouse.duckdb", read_only=True) as connection:
        return connection.execute(
            f"SELECT strftime(file_month, '%Y-%m'), count(*) FROM {table} GROUP BY ALL ORDER BY 1"
        ).fetchall()


@each_command
def test_a_command_materializes_one_month(command: str, tmp_path: Path) -> None:
    result = materialize(command, tmp_path, '+key:"duckdb/green_tripdata"', "--partition", "2020-10")
    assert result.returncode == 0, result.stderr
    ((month, rows),) = loaded(tmp_path, "green_tripdata")
    assert month == "2020-10"
    assert rows > 1000


@each_command
def test_a_command_materializes_a_range(command: str, tmp_path: Path) -> None:
    result = materialize(command, tmp_path, '+key:"duckdb/yellow_tripdata"', "--partition-range", "2020-05...2020-07")
    assert result.returncode == 0, result.stderr
    assert [month for month, _ in loaded(tmp_path, "yellow_tripdata")] == ["2020-05", "2020-06", "2020-07"]


def test_dg_launches_a_job_over_a_range_of_both_taxis(tmp_path: Path) -> None:
    command = ("launch", "--target-path", str(PROJECT), "--job", "load_all", "--partition-range", "2020-05...2020-06")
    result = run(tmp_path, "dagster_dg_cli.cli", *command, TAXI_SOURCE="sample")
    assert result.returncode == 0, result.stderr
    for table in ("green_tripdata", "yellow_tripdata"):
        assert [month for month, _ in loaded(tmp_path, table)] == ["2020-05", "2020-06"]


def test_dg_reports_nothing_to_anyone_with_the_project_s_instance(tmp_path: Path) -> None:
    home = run(tmp_path, "taxi_assets.dagster_home").stdout.strip()
    command = ("dagster_dg_cli.cli", "check", "defs", "--target-path", str(PROJECT))
    result = run(tmp_path, *command, DAGSTER_HOME=home, HOME=str(tmp_path), TAXI_DBT="")
    assert result.returncode == 0, result.stderr
    assert "All definitions loaded successfully" in result.stdout
    assert "elemetry" not in result.stdout + result.stderr
    # Where Dagster keeps what it reports, and the id that it reports it with.
    assert not [path for path in tmp_path.rglob("*") if path.name in (".telemetry", "logs")]


@each_command
def test_a_reversed_range_fails_and_says_why(command: str, tmp_path: Path) -> None:
    result = materialize(command, tmp_path, '+key:"duckdb/green_tripdata"', "--partition-range", "2020-10...2020-09")
    assert result.returncode == 1
    assert "The range of months is empty: write the earlier month first" in result.stderr


def test_the_definitions_validate_without_a_warning_of_ours(tmp_path: Path) -> None:
    command = ("dagster", "definitions", "validate", "-m", "taxi_assets.definitions")
    result = run(PROJECT, *command, DAGSTER_HOME=str(tmp_path), TAXI_DBT="")
    assert result.returncode == 0, result.stderr
    warnings = [line for line in (result.stdout + result.stderr).splitlines() if "Warning" in line]
    assert [line for line in warnings if "SupersessionWarning" not in line] == []


def test_the_home_folder_and_the_warehouse_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with DuckDBWarehouse(database=str(home / "warehouse.duckdb")).get_connection():
        pass
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "warehouse.duckdb").stat().st_mode) == 0o600
