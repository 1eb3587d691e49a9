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
from taxi_assets_tests.paths import PROJECT


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program of the virtual environment with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**kept, "TAXI_HOME": str(folder / "home"), "COLUMNS": "200", **environment},
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
        (["--taxi", "purple"], "There is no taxi called “purple”: choose from green, yellow."),
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


def materialize(folder: Path, select: str, *months: str) -> subprocess.CompletedProcess[str]:
    command = ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", "--select", select)
    return run(folder, *command, *months, TAXI_SOURCE="sample")


def test_dagster_s_command_materializes_one_month(tmp_path: Path) -> None:
    result = materialize(tmp_path, '+key:"duckdb/green_tripdata"', "--partition", "2020-10")
    assert result.returncode == 0, result.stderr
    with duckdb.connect(tmp_path / "home" / "warehouse.duckdb") as connection:
        ((months, rows),) = connection.execute(
            "SELECT count(DISTINCT file_month), count(*) FROM green_tripdata"
        ).fetchall()
    assert months == 1
    assert rows > 1000


def test_dagster_s_command_materializes_a_range(tmp_path: Path) -> None:
    result = materialize(tmp_path, '+key:"duckdb/yellow_tripdata"', "--partition-range", "2020-05...2020-07")
    assert result.returncode == 0, result.stderr
    with duckdb.connect(tmp_path / "home" / "warehouse.duckdb") as connection:
        months = connection.execute("SELECT DISTINCT file_month::VARCHAR FROM yellow_tripdata ORDER BY 1").fetchall()
    assert months == [("2020-05-01",), ("2020-06-01",), ("2020-07-01",)]


def test_a_reversed_range_fails_and_says_why(tmp_path: Path) -> None:
    result = materialize(tmp_path, '+key:"duckdb/green_tripdata"', "--partition-range", "2020-10...2020-09")
    assert result.returncode == 1
    assert "The range of months is empty: write the earlier month first" in result.stderr


def test_the_definitions_validate_without_a_warning_of_ours(tmp_path: Path) -> None:
    result = run(
        PROJECT, "dagster", "definitions", "validate", "-m", "taxi_assets.definitions", DAGSTER_HOME=str(tmp_path)
    )
    assert result.returncode == 0, result.stderr
    warnings = [line for line in (result.stdout + result.stderr).splitlines() if "Warning" in line]
    assert [line for line in warnings if "SupersessionWarning" not in line] == []


def test_the_home_folder_and_the_warehouse_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with DuckDBWarehouse(database=str(home / "warehouse.duckdb")).get_connection():
        pass
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "warehouse.duckdb").stat().st_mode) == 0o600
