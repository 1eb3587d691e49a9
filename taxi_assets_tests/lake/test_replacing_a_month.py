"""Materializing a month makes its file in the lake exactly the raw file's rows, and touches no other file."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from taxi_assets.errors import NothingToRemoveError, OtherRowsError, WarehouseBusyError, WarehouseError
from taxi_assets.files import write_whole
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LOG, LakeProject
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, YELLOW
from taxi_assets_tests.test_removing_a_month import remove
from taxi_assets_tests.test_removing_the_sample import remove_sample
from taxi_assets_tests.test_replacing_a_month import values_of_file, values_of_table

MONTHS = ["file_month=2019-01-01", "file_month=2019-02-01"]


def test_the_first_load_makes_a_file_per_month_with_the_rows_of_the_raw_file(project: LakeProject) -> None:
    trips = made_trips(GREEN, JANUARY, 60)
    project.put(trips)
    project.put(made_trips(GREEN, FEBRUARY, 30), FEBRUARY)
    merged = project.run("2019-01...2019-02").materialized("lake/green_tripdata")
    assert [merged[month]["inserted"] for month in ("2019-01", "2019-02")] == [60, 30]
    assert max(merged[month]["dagster/row_count"] for month in merged) == 90
    assert project.months() == MONTHS
    assert project.files() == project.files("green_tripdata"), "nothing is stored twice"
    rows = project.rows("green_tripdata")
    assert [(row["filename"], row["file_month"]) for row in rows] == [
        *[("green_tripdata_2019-01.csv", date(2019, 1, 1))] * 60,
        *[("green_tripdata_2019-02.csv", date(2019, 2, 1))] * 30,
    ]
    assert values_of_table(GREEN, rows[:60]) == values_of_file(GREEN, trips)


def test_running_again_changes_nothing_and_says_so(loaded: LakeProject) -> None:
    before = loaded.everything(), (loaded.root / "green_tripdata").resolve()
    assert [loaded.load(month) for month in (JANUARY, FEBRUARY)] == [(0, 0, 0)] * 2
    assert loaded.merge() == (0, 0, 0)
    assert (loaded.everything(), (loaded.root / "green_tripdata").resolve()) == before


def test_what_has_not_changed_is_stored_once_whatever_versions_have_it(loaded: LakeProject) -> None:
    loaded.put(made_trips(GREEN, JANUARY, 70))
    for _ in range(2):
        for month in (JANUARY, FEBRUARY):
            loaded.load(month)
    files = list((loaded.root / "versions").rglob("*.parquet"))
    assert len({path.stat().st_ino for path in files}) == len({path.name for path in files}) == 3


def test_the_order_of_the_raw_files_rows_makes_no_difference(loaded: LakeProject) -> None:
    before = loaded.everything()
    loaded.put(made_trips(GREEN, JANUARY, 60)[::-1])
    assert loaded.load() == (0, 0, 0)
    assert loaded.everything() == before


def test_new_corrected_and_vanished_rows_are_counted_and_the_slice_is_the_file(loaded: LakeProject) -> None:
    february = loaded.files("green_tripdata")[1]
    trips = made_trips(GREEN, JANUARY, 67)[5:]  # five vanish, seven are new
    for trip in trips[:3]:
        trip["tip_amount"] = "9.99"  # corrected: the tip is no part of a trip's id
    trips[3]["ehail_fee"] = ""  # from a value to none
    trips[4]["fare_amount"] = "77.7"  # the fare is part of the id, so this is one trip less and another one more
    loaded.put(trips)
    assert loaded.load() == (7 + 1, 3 + 1, 5 + 1)
    january = [row for row in loaded.rows("green_tripdata") if row["file_month"] == JANUARY.first_day]
    assert values_of_table(GREEN, january) == values_of_file(GREEN, trips)
    assert loaded.load() == (0, 0, 0)
    assert loaded.files("green_tripdata")[1] == february


def test_a_month_is_in_no_mains_way_until_it_is_merged(loaded: LakeProject) -> None:
    old = loaded.rows("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    loaded.load(merge=False)
    assert loaded.months("green_tripdata_month") == MONTHS[:1]
    assert loaded.rows("green_tripdata") == old
    months = [loaded.lake().read(GREEN.month_asset, [month]) for month in (JANUARY, FEBRUARY)]
    assert [len(month.fetchall()) for month in months] == [70, 60]
    assert loaded.merge() == (10, 0, 0)
    assert loaded.months("green_tripdata_month") == []
    assert len(loaded.lake().read(GREEN.month_asset, [JANUARY]).fetchall()) == 70


def test_rows_are_in_the_order_of_pickups_and_a_readers_group_of_rows_has_few_days(project: LakeProject) -> None:
    project.put(made_trips(GREEN, JANUARY, 300)[::-1])
    project.load()
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
    assert loaded.months() == MONTHS[1:]
    assert not remove(loaded, **wanted).success
    assert loaded.lake().profile_month(GREEN, JANUARY, "main", LOG).rows == 0
    assert loaded.load() == (60, 0, 0)
    assert loaded.everything() == before


def test_a_month_that_is_not_merged_is_removed_too(loaded: LakeProject) -> None:
    loaded.put(made_trips(GREEN, MARCH, 5), MARCH)
    loaded.load(MARCH, merge=False)
    assert loaded.lake().remove_month(GREEN, MARCH, LOG) == 0
    assert loaded.months() == MONTHS


def test_a_month_with_other_rows_than_were_meant_stays(loaded: LakeProject) -> None:
    with pytest.raises(OtherRowsError, match="it has 60 rows, and not the 59"):
        loaded.lake().remove_month(GREEN, JANUARY, LOG, rows=59)
    assert loaded.months() == MONTHS
    with pytest.raises(NothingToRemoveError):
        loaded.lake().remove_month(YELLOW, APRIL, LOG)


def test_only_the_sample_is_removed(tmp_path: Path) -> None:
    project = LakeProject(tmp_path, address="sample")
    assert project.run("2019-01...2019-02", checks=False).success
    project.put(made_trips(GREEN, JANUARY, 20))
    project.address = str(project.source)
    assert project.run("2019-01", checks=False).success
    assert remove_sample(project).success
    assert project.months() == MONTHS[:1]
    assert len(project.rows("green_tripdata")) == 20


def test_the_zones_are_a_file_and_are_checked(project: LakeProject) -> None:
    project.put_zones()
    assert project.run_zones().success
    (name,) = project.files()
    assert name.startswith("taxi_zones/taxi_zones-")
    assert project.query("taxi_zones", "SELECT count(*), max(LocationID) FROM trips") == [(265, 265)]
    assert project.lake().count_zones(LOG) == (265, 265)


@pytest.mark.parametrize("table", [GREEN.table, GREEN.month_asset])
def test_a_folder_of_somebody_else_is_not_replaced(project: LakeProject, table: str) -> None:
    theirs = project.root / table
    theirs.mkdir(parents=True)
    project.put(made_trips(GREEN, JANUARY, 7))
    with pytest.raises(WarehouseError, match=f"There is a table {theirs} that this project did not create: nothing"):
        project.load()
    assert list(theirs.iterdir()) == []


@pytest.mark.parametrize("name", ["file_month=2019-01-01/more.parquet", "file_month=2019-01/a.parquet", "notes.txt"])
def test_a_table_to_which_somebody_has_added_a_file_is_not_changed(loaded: LakeProject, name: str) -> None:
    theirs = loaded.root / "green_tripdata" / name
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(b"mine")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    before = loaded.everything()
    with pytest.raises(WarehouseError, match="was not put there by this project, and readers take it for a part"):
        loaded.load()
    assert {name: loaded.everything()[name] for name in before} == before


def test_a_damaged_month_is_named_and_can_be_removed_and_loaded_again(loaded: LakeProject) -> None:
    name = loaded.files("green_tripdata")[0]
    write_whole(loaded.root / name, b"half")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    with pytest.raises(WarehouseError, match="is damaged: nothing was changed; remove the month with the job"):
        loaded.load()
    assert loaded.lake().remove_month(GREEN, JANUARY, LOG) == 0
    assert loaded.load() == (70, 0, 0)


def test_who_may_look_into_the_lake_may_read_its_files(project: LakeProject) -> None:
    project.root.mkdir(parents=True)
    for mode, readable in ((0o755, 0o644), (0o700, 0o600)):
        project.root.chmod(mode)
        project.put(made_trips(GREEN, JANUARY, mode))
        project.load()
        file = project.root / project.files("green_tripdata")[0]
        assert file.stat().st_mode & 0o777 == readable
        assert {folder.stat().st_mode & 0o777 for folder in file.resolve().parents[:2]} == {mode}


def test_a_month_that_another_run_writes_is_waited_for_and_others_are_not(loaded: LakeProject) -> None:
    with loaded.lake().folder.exclusive("green_tripdata_2019-01", LOG):
        with pytest.raises(WarehouseBusyError, match=r"green_tripdata_2019-01 in .* was in use by another run"):
            loaded.load(lock_wait_seconds=0.2)
        assert loaded.load(FEBRUARY, lock_wait_seconds=0.2) == (0, 0, 0)


def test_drafts_of_killed_writers_are_removed_by_the_next_whatever_it_writes(loaded: LakeProject) -> None:
    left = loaded.root / "versions" / ".drafts" / "yellow_tripdata_2019-05"
    left.mkdir()
    (left / "yellow_tripdata_2019-05.parquet").write_bytes(b"half")
    loaded.load(FEBRUARY)
    assert not left.exists()


def test_replaced_versions_stay_for_those_who_read_them_and_are_removed_after_a_while(loaded: LakeProject) -> None:
    relation, folder = loaded.lake().read(GREEN.table, None), (loaded.root / "green_tripdata").resolve()
    loaded.put(made_trips(GREEN, JANUARY, 70))
    loaded.load()
    assert len(relation.fetchall()) == 120
    loaded.put(made_trips(GREEN, JANUARY, 80))
    loaded.load(keep_seconds=-1)
    assert not folder.exists()
    assert sorted(path.name for path in folder.parent.glob("[!.]*")) == ["3", "4"]


def test_without_room_the_lake_is_unchanged(loaded: LakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loaded.everything()
    loaded.put(made_trips(GREEN, JANUARY, 70))

    def no_room(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("taxi_assets.warehouses.lake.folder.flush_to_disk", no_room)
    with pytest.raises(WarehouseError, match=r"No space left on device\): .* make room there and in the folder for"):
        loaded.load()
    monkeypatch.undo()
    assert loaded.everything() == before
    assert loaded.load() == (10, 0, 0)
