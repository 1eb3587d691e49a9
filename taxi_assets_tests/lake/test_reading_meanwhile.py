"""Readers in other processes read the lake while months are replaced: none fails, and none sees a mixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
import pytest

from taxi_assets.months import Month
from taxi_assets.warehouses.lake import parquet
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, processes

SIZES: Final = {"1.11": 3_000, "2.22": 7_000, "3.33": 5_000}
"""Rows of each version of a month by its only tip."""

Seen = list[tuple[str, str, int]]
"""Months, tips and numbers of rows, which a reader found at one moment."""


def _read_with_duckdb(folder: str) -> Seen:
    statement = (
        "SELECT CAST(file_month AS VARCHAR), CAST(CAST(tip_amount AS DECIMAL(4, 2)) AS VARCHAR), count(*) "
        f"FROM '{folder}/*/*.parquet' GROUP BY ALL"
    )
    return duckdb.sql(statement).fetchall()


def _read_with_polars(folder: str) -> Seen:
    trips = pl.scan_parquet(folder).group_by("file_month", "tip_amount").len().collect()
    return [(str(month), f"{tip:.2f}", rows) for month, tip, rows in trips.iter_rows()]


def _read_slowly_with_duckdb(folder: str) -> Seen:
    """As a program does that has the files open for some time."""
    found: dict[tuple[str, str], int] = {}
    result = duckdb.execute(f"SELECT CAST(file_month AS VARCHAR), tip_amount FROM '{folder}/*/*.parquet'")
    while rows := result.fetchmany(2_000):
        for month, tip in rows:
            found[month, f"{tip:.2f}"] = found.get((month, f"{tip:.2f}"), 0) + 1
    return [(*key, count) for key, count in found.items()]


def _keep_reading(table: Path, read: Callable[[str], Seen], pipe: Connection) -> None:
    """In a child process: read again and again until told to stop, and tell what was seen."""
    seen = [read(str(table.resolve()))]
    pipe.send("reading")
    while not pipe.poll(0.01):
        seen.append(read(str(table.resolve())))
    pipe.send(seen)


@contextmanager
def reading(project: LakeProject, read: Callable[[str], Seen]) -> Iterator[list[Seen]]:
    """A reader in another process for the duration of a block; afterwards, all that it has seen."""
    mine, its = processes("polars").Pipe()
    seen: list[Seen] = []
    child = processes("polars").Process(target=_keep_reading, args=(project.root / GREEN.table, read, its), daemon=True)
    child.start()
    its.close()
    assert mine.recv() == "reading"
    yield seen
    mine.send("stop")
    seen.extend(mine.recv())
    child.join()


def _put(project: LakeProject, month: Month, tip: str) -> None:
    trips = made_trips(GREEN, month, 100)
    for trip in trips:
        trip["tip_amount"] = tip
    project.put([{**trip, "trip_distance": f"{n}.5"} for n in range(SIZES[tip] // 100) for trip in trips], month)


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[LakeProject]:
    """Projects with one lake, in whose landing zones is another version of each month."""
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 2_048)
    projects = []
    for tip in SIZES:
        folder = tmp_path / tip
        folder.mkdir()
        project = LakeProject(folder)
        project.root = tmp_path / "lake"
        for month in (JANUARY, FEBRUARY):
            _put(project, month, tip)
        projects.append(project)
    return projects


@pytest.mark.timeout(120)
def test_no_reader_fails_or_sees_a_mixture(versions: list[LakeProject]) -> None:
    for month in (JANUARY, FEBRUARY):
        versions[0].load(month)
    readers = (_read_with_duckdb, _read_slowly_with_duckdb, _read_with_polars)
    with (
        reading(versions[0], readers[0]) as first,
        reading(versions[0], readers[1]) as second,
        reading(versions[0], readers[2]) as third,
    ):
        for _ in range(2):
            for project in versions[1:] + versions[:1]:
                for month in (JANUARY, FEBRUARY):
                    project.load(month)
    for read, seen in zip(readers, (first, second, third), strict=True):
        assert len(seen) > 3
        assert len({tip for each in seen for _, tip, _ in each}) > 1, "nothing was replaced while it was read"
        for each in seen:
            assert sorted(month for month, _, _ in each) == ["2019-01-01", "2019-02-01"], read
            assert all(rows == SIZES[tip] for _, tip, rows in each), read
