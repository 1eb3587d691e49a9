"""The commands of docs/homework.md answer its questions as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taxi_assets.months import Month
from taxi_assets.source.raw_files import trip_file
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import GREEN, YELLOW, Project

PAGE = (PROJECT / "docs" / "homework.md").read_text("utf-8")


def command(words: str) -> str:
    """The one command of the page that has these words."""
    (found,) = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if words in block]
    return found


def answer(words: str, home: Path) -> str:
    """What a command of the page prints, with the home in place of the default one."""
    text = command(words).replace(".venv/bin/python", sys.executable).replace("'.taxi/", f"'{home}/")
    done = subprocess.run(["bash", "-c", text], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def numbers(text: str) -> list[str]:
    return re.findall(r"[\d.]+(?= )", text.replace("│", " "))


def test_the_size_of_yellow_2020_12_is_known(tmp_path: Path) -> None:
    assert "**128.3 MiB**" in PAGE
    assert "128.3" in numbers(answer("csv_bytes", tmp_path))


def test_the_size_stands_beside_the_file_that_has_landed(project: Project) -> None:
    month = Month(2020, 12)
    project.put(made_trips(YELLOW, month, 20_000), month, YELLOW)
    assert project.run(str(month), YELLOW, stages=["raw"], checks=False).success
    shown = numbers(answer("csv_size", project.home))
    assert (
        str(round(project.trip_source().landing_zone().known(trip_file(YELLOW, month)).csv_size / 1024**2, 1)) in shown
    )


def test_the_file_name_is_rendered(tmp_path: Path) -> None:
    shown = answer("csv_name", tmp_path).strip()
    assert shown == "green_tripdata_2020-04.csv"
    assert f"**`{shown}`**" in PAGE


def test_the_published_counts_are_the_answers(tmp_path: Path) -> None:
    shown = numbers(answer("sum(rows)", tmp_path))
    for rows in (24_648_499, 1_734_051, 1_925_152):
        assert str(rows) in shown
        assert f"**{rows:,}**" in PAGE


def test_rows_are_counted_by_file_in_the_warehouse(project: Project) -> None:
    for taxi, month, rows in (
        (YELLOW, Month(2020, 1), 30),
        (YELLOW, Month(2020, 12), 31),
        (YELLOW, Month(2021, 3), 17),
        (GREEN, Month(2020, 5), 12),
    ):
        project.put(made_trips(taxi, month, rows), month, taxi)
        assert project.run(str(month), taxi, checks=False).success
    shown = answer("read_only=True", project.home)
    for files, rows in (("yellow, 2020", 61), ("green, 2020", 12), ("yellow, 2021-03", 17)):
        assert re.search(rf"{files} +│ +{rows} ", shown)


def test_the_schedule_is_in_new_york_s_time(tmp_path: Path) -> None:
    shown = answer("execution_timezone)", tmp_path).strip()
    assert shown == "America/New_York"
    assert f"**`{shown}`**" in PAGE


@pytest.mark.parametrize("line", re.findall(r"^dagster .*$", PAGE, re.MULTILINE))
def test_months_are_asked_for_as_dagster_s_command_wants_it(line: str) -> None:
    # The commands themselves are run in test_commands.py, with other months.
    assert re.fullmatch(
        r"dagster asset materialize -m taxi_assets\.definitions "
        r"--select '\+?key:\"(raw|duckdb)/(yellow|green)_tripdata\"' "
        r"(--partition \d{4}-\d\d|--partition-range \d{4}-\d\d\.\.\.\d{4}-\d\d)",
        line,
    )
