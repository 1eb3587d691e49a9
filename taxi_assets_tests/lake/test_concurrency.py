"""Processes that write the same lake at once lose nothing of one another."""

from __future__ import annotations

from pathlib import Path

from taxi_assets.months import Month
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, processes


def _load(folder: Path, months: list[Month]) -> None:
    """In a child process: load months, and load the first of them once more."""
    project = LakeProject(folder)
    for month in [*months, months[0]]:
        project.load(month)


def test_months_that_processes_load_at_once_are_all_there(project: LakeProject) -> None:
    rows = {JANUARY: 10, FEBRUARY: 20, MARCH: 30, APRIL: 40}
    for month, count in rows.items():
        project.put(made_trips(GREEN, month, count), month)
    children = [
        processes("taxi_assets_tests.lake.project").Process(target=_load, args=(project.folder, months))
        for months in ([JANUARY, FEBRUARY], [MARCH, APRIL], [APRIL, JANUARY])
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    found = project.query("green_tripdata", "SELECT file_month, count(*) FROM trips GROUP BY ALL ORDER BY ALL")
    assert found == [(month.first_day, count) for month, count in rows.items()]
    assert project.months("green_tripdata_month") == []
