"""Materializing a month makes its file in the lake exactly the raw file's rows, and touches no other file."""

from __future__ import annotations

import logging
import os
from datetime import date
from pathlib import Path

import pytest

from taxi_assets.errors import NothingToRemoveError, OtherRowsError, WarehouseBusyError, WarehouseError
from taxi_assets.files import write_whole
from taxi_assets.source.raw_files import trip_file
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject, changes
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, YELLOW
from taxi_assets_tests.test_removing_a_month import remove
from taxi_assets_tests.test_removing_the_sample import remove_sample
from taxi_assets_tests.test_replacing_a_month import values_of_file, values_of_table

LOG = logging.getLogger(__name__)
MAIN_FILES = [
    "green_tripdata/file_month=2019-01-01/green_tripdata_2019-01.parquet",
    "green_tripdata/file_month=2019-02-01/green_tripdata_2019-02.parquet",
]
LOADED_FILE = "green_tripdata_month/file_month=2019-01-01/green_tripdata_2019-01.parquet"


def test_the_first_load_makes_a_file_per_month_with_the_rows_of_the_raw_file(project: LakeProject) -> None:
    trips = made_trips(GREEN, JANUARY, 60)
    project.put(trips)
    project.put(made_trips(GREEN, FEBRUARY, 30), FEBRUARY)
    assert changes(project, "2019-01...2019-02") == [(60, 0, 0), (30, 0, 0)]
    assert project.files() == MAIN_FILES
    rows = project.rows("green_tripdata")
    assert [(row["filename"], row["file_month"]) for row in rows] == [
        *[("green_tripdata_2019-01.csv", date(2019, 1, 1))] * 60,
        *[("green_tripdata_2019-02.csv", date(2019, 2, 1))] * 30,
    ]
    assert values_of_table(GREEN, rows[:60]) == values_of_file(GREEN, trips)


def test_running_again_changes_nothing_and_says_so(loaded: LakeProject) -> None:
    before = {name: (loaded.root / name).stat().st_ino for name in loaded.files()}
    assert changes(loaded, "2019-01...2019-02") == [(0, 0, 0)] * 2
    assert changes(loaded, stages=("main",)) == [(0, 0, 0)]
    assert {name: (loaded.root / name).stat().st_ino for name in loaded.files()} == before


def test_the_order_of_the_raw_files_rows_makes_no_difference(loaded: LakeProject) -> None:
    before = loaded.everything()
    loaded.put(made_trips(GREEN, JANUARY, 60)[::-1])
    assert changes(loaded) == [(0, 0, 0)]
    assert loaded.everything() == before


def test_new_corrected_and_vanished_rows_are_counted_and_the_slice_is_the_file(loaded: LakeProject) -> None:
    february = (loaded.root / MAIN_FILES[1]).stat()
    trips = made_trips(GREEN, JANUARY, 67)[5:]  # five vanish, seven are new
    for trip in trips[:3]:
        trip["tip_amount"] = "9.99"  # corrected: the tip is no part of a trip's id
    trips[3]["ehail_fee"] = ""  # from a value to none
    trips[4]["fare_amount"] = "77.7"  # the fare is part of the id, so this is one trip less and another one more
    loaded.put(trips)
    assert changes(loaded) == [(7 + 1, 3 + 1, 5 + 1)]
    january = [row for row in loaded.rows("green_tripdata") if row["file_month"] == JANUARY.first_day]
    assert values_of_table(GREEN, january) == values_of_file(GREEN, trips)
    assert changes(loaded) == [(0, 0, 0)]
    assert (loaded.root / MAIN_FILES[1]).stat() == february


def test_a_month_is_in_no_mains_way_until_it_is_merged(loaded: LakeProject) -> None:
    old = loaded.rows("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    assert loaded.run(stages=("raw", "month")).success
    assert loaded.files() == [*MAIN_FILES, LOADED_FILE]
    assert loaded.rows("green_tripdata") == old
    months = [loaded.lake().read(GREEN.month_asset, [month]) for month in (JANUARY, FEBRUARY)]
    assert [len(month.fetchall()) for month in months] == [70, 60]
    assert changes(loaded, stages=("main",)) == [(10, 0, 0)]
    assert loaded.files() == MAIN_FILES
    assert len(loaded.lake().read(GREEN.month_asset, [JANUARY]).fetchall()) == 70


def test_rows_are_in_the_order_of_pickups_and_a_readers_group_of_rows_has_few_days(project: LakeProject) -> None:
    project.put(made_trips(GREEN, JANUARY, 300)[::-1])
    assert project.run(checks=False).success
    pickups = project.query("green_tripdata", "SELECT lpep_pickup_datetime FROM trips")
    assert pickups == sorted(pickups)


def test_a_month_that_is_not_loaded_is_named(project: LakeProject) -> None:
    with pytest.raises(
        WarehouseError,
        match=r"has no table green_tripdata_2019_01: materialize lake/green_tripdata_month for 2019-01 first",
    ):
        project.lake().merge_month(GREEN, JANUARY, LOG)
    with pytest.raises(
        WarehouseError, match=r"has no table green_tripdata: materialize lake/green_tripdata for 2019-01 first"
    ):
        project.lake().profile_month(GREEN, JANUARY, "main", LOG)


def test_a_month_is_removed_and_can_be_loaded_again(loaded: LakeProject) -> None:
    before = loaded.everything()
    wanted = {"warehouse": "lake", "confirm": "lake green 2019-01"}
    assert remove(loaded, **wanted).success
    assert loaded.files() == MAIN_FILES[1:]
    assert not remove(loaded, **wanted).success
    assert loaded.lake().profile_month(GREEN, JANUARY, "main", LOG).rows == 0
    assert changes(loaded) == [(60, 0, 0)]
    assert loaded.everything() == before


def test_a_month_that_is_not_merged_is_removed_too(loaded: LakeProject) -> None:
    loaded.put(made_trips(GREEN, MARCH, 5), MARCH)
    assert loaded.run("2019-03", stages=("raw", "month"), checks=False).success
    assert loaded.lake().remove_month(GREEN, MARCH, LOG) == 0
    assert loaded.files() == MAIN_FILES


def test_a_month_with_other_rows_than_were_meant_stays(loaded: LakeProject) -> None:
    with pytest.raises(OtherRowsError, match="it has 60 rows, and not the 59"):
        loaded.lake().remove_month(GREEN, JANUARY, LOG, rows=59)
    assert loaded.files() == MAIN_FILES
    with pytest.raises(NothingToRemoveError):
        loaded.lake().remove_month(YELLOW, APRIL, LOG)


def test_only_the_sample_is_removed(tmp_path: Path) -> None:
    project = LakeProject(tmp_path, address="sample")
    assert project.run("2019-01...2019-02", checks=False).success
    project.put(made_trips(GREEN, JANUARY, 20))
    project.address = str(project.source)
    assert project.run("2019-01", checks=False).success
    assert remove_sample(project).success
    assert project.files() == MAIN_FILES[:1]
    assert len(project.rows("green_tripdata")) == 20


def test_the_zones_are_a_file_and_are_checked(project: LakeProject) -> None:
    project.put_zones()
    assert project.run_zones().success
    assert project.files() == ["taxi_zones/taxi_zones.parquet"]
    assert project.query("taxi_zones", "SELECT count(*), max(LocationID) FROM trips") == [(265, 265)]
    assert project.lake().count_zones(LOG) == (265, 265)


@pytest.mark.parametrize("place", [MAIN_FILES[0], LOADED_FILE])
def test_a_file_of_somebody_else_is_not_replaced(loaded: LakeProject, place: str) -> None:
    theirs = loaded.root / place
    theirs.parent.mkdir(parents=True, exist_ok=True)
    write_whole(theirs, b"mine")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    outcome = loaded.run(checks=False)
    assert f"{theirs} is damaged, or not a Parquet file: nothing was changed" in outcome.failure
    assert theirs.read_bytes() == b"mine"


def test_a_month_is_not_merged_beside_a_file_of_somebody_else(loaded: LakeProject) -> None:
    theirs = (loaded.root / MAIN_FILES[0]).with_name("more.parquet")
    theirs.write_bytes(b"mine")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    before = loaded.everything()
    outcome = loaded.run(checks=False)
    assert "has a file more.parquet that this project did not create, and readers would take both" in outcome.failure
    assert {name: loaded.everything()[name] for name in before} == before


def test_who_may_look_into_the_lake_may_read_its_files(project: LakeProject) -> None:
    project.root.mkdir(parents=True)
    for mode, readable in ((0o755, 0o644), (0o700, 0o600)):
        project.root.chmod(mode)
        project.put(made_trips(GREEN, JANUARY, mode))
        assert project.run(checks=False).success
        assert (project.root / MAIN_FILES[0]).stat().st_mode & 0o777 == readable


def test_a_month_that_another_run_writes_is_waited_for_and_others_are_not(loaded: LakeProject) -> None:
    with loaded.lake().folder.exclusive("green_tripdata_2019-01", wait_seconds=1, log=LOG):
        current = loaded.trip_source().current(trip_file(GREEN, JANUARY))
        with pytest.raises(WarehouseBusyError, match=r"green_tripdata_2019-01 in .* was in use by another run"):
            loaded.lake(lock_wait_seconds=0.2).load_month(GREEN, JANUARY, current, LOG)
        assert loaded.run("2019-02", lock_wait_seconds=0.2).success


def test_drafts_of_killed_writers_are_removed_by_the_next_whatever_it_writes(loaded: LakeProject) -> None:
    left = loaded.root / "_taxi_assets" / "yellow_tripdata_2019-05"
    left.mkdir()
    (left / "yellow_tripdata_2019-05.parquet").write_bytes(b"half")
    assert loaded.run("2019-02").success
    assert not left.exists()


def test_without_room_the_lake_is_unchanged(loaded: LakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loaded.everything()
    loaded.put(made_trips(GREEN, JANUARY, 70))

    def no_room(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("taxi_assets.warehouses.lake.folder.flush_to_disk", no_room)
    outcome = loaded.run(checks=False)
    assert "No space left on device" in outcome.failure
    assert "make room there and in the folder for temporary files" in outcome.failure
    monkeypatch.undo()
    assert loaded.everything() == before
    assert changes(loaded) == [(10, 0, 0)]
