"""A range of months is one run, in which each month succeeds or fails by itself; and parts of the graph run alone."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from taxi_assets.assets.checks import CHECKS
from taxi_assets.months import Month, parse_month_range
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_bytes, put_csv
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, Outcome, Project

RANGE = "2019-01...2019-04"
MONTHS = [JANUARY, FEBRUARY, MARCH, APRIL]
RAW, MONTH, MAIN = "raw/green_tripdata", "duckdb/green_tripdata_month", "duckdb/green_tripdata"


def rows_of(month: Month) -> int:
    return 10 * month.number


@pytest.fixture
def four_months(project: Project) -> Project:
    """A source with January (10 trips) to April (40 trips) 2019."""
    for month in MONTHS:
        project.put(made_trips(GREEN, month, rows_of(month)), month)
    return project


@pytest.fixture
def two_bad(four_months: Project) -> Project:
    """The same, with a value in February that is no number, and March cut short."""
    trips = made_trips(GREEN, FEBRUARY, 20)
    trips[0]["fare_amount"] = "abc"
    put_csv(four_months.source, GREEN, FEBRUARY, csv_bytes(GREEN.header, trips))
    march = four_months.source / GREEN.file_path(MARCH)
    put_bytes(four_months.source, GREEN, MARCH, march.read_bytes()[:-20])
    return four_months


def changes(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    return {
        month: (merged["inserted"], merged["updated"], merged["deleted"])
        for month, merged in outcome.materialized(MAIN).items()
    }


def recorded(project: Project, key: str) -> set[str]:
    """Months that Dagster itself holds for materialized."""
    return project.instance.get_materialized_partitions(dg.AssetKey.from_user_string(key))


def rows_by_month(project: Project) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in project.rows("green_tripdata"):
        name = f"{row['file_month']:%Y-%m}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_each_month_of_a_range_is_recorded_with_its_own_numbers(four_months: Project):
    outcome = four_months.run(RANGE)
    assert outcome.success
    for key in (RAW, MONTH, MAIN):
        found = outcome.materialized(key)
        counts = {month: metadata["dagster/partition_row_count"] for month, metadata in found.items()}
        assert counts == {str(month): rows_of(month) for month in MONTHS}
        assert recorded(four_months, key) == set(counts)
    assert {month: data["file"] for month, data in outcome.materialized(RAW).items()} == {
        str(month): f"green_tripdata_{month}.csv.gz" for month in MONTHS
    }
    assert changes(outcome) == {str(month): (rows_of(month), 0, 0) for month in MONTHS}
    assert rows_by_month(four_months) == {str(month): rows_of(month) for month in MONTHS}


def test_the_row_count_of_main_is_that_of_the_whole_table(four_months: Project):
    four_months.run(RANGE)
    again = four_months.run("2019-02").materialized(MAIN)["2019-02"]
    assert again["dagster/row_count"] == sum(map(rows_of, MONTHS))
    assert again["dagster/partition_row_count"] == rows_of(Month(2019, 2))


def test_bad_months_in_the_middle_stop_nothing_but_themselves(two_bad: Project):
    outcome = two_bad.run(RANGE)
    assert not outcome.success
    assert rows_by_month(two_bad) == {"2019-01": 10, "2019-04": 40}
    for key, months in {RAW: {"2019-01", "2019-02", "2019-04"}, MONTH: {"2019-01", "2019-04"}}.items():
        assert set(outcome.materialized(key)) == recorded(two_bad, key) == months
    assert {month: data["dagster/partition_row_count"] for month, data in outcome.materialized(MAIN).items()} == {
        "2019-01": 10,
        "2019-04": 40,
    }
    assert recorded(two_bad, MAIN) == {"2019-01", "2019-04"}


def test_months_that_are_done_are_recorded_where_no_check_is_asked_for(two_bad: Project):
    outcome = two_bad.run(RANGE, stages=["raw"], checks=False)
    assert not outcome.success
    assert sorted(outcome.materialized(RAW)) == ["2019-01", "2019-02", "2019-04"]


def test_all_failures_of_a_range_are_listed_together(two_bad: Project):
    headline, february, march = two_bad.run(RANGE).failure.split("\n")
    assert headline == "2 of 4 months failed, the others are done:"
    assert february.startswith("2019-02, duckdb/green_tripdata_month: green_tripdata_2019-02.csv.gz has values")
    assert "line 2, column fare_amount: “abc” is not a number" in february
    assert march.startswith("2019-03, raw/green_tripdata: green_tripdata_2019-03.csv.gz")
    assert "truncated" in march


def test_many_failures_are_listed_by_the_first_ten(project: Project):
    failure = project.run("2019-01...2019-12").failure
    assert failure.startswith("12 of 12 months failed")
    assert failure.count("is not in the folder") == 10
    assert failure.endswith("\nand 2 more")


def test_running_the_range_again_changes_only_what_was_missing(two_bad: Project):
    two_bad.run(RANGE)
    for month in (FEBRUARY, MARCH):
        two_bad.put(made_trips(GREEN, month, rows_of(month)), month)
    outcome = two_bad.run(RANGE)
    assert outcome.success
    assert changes(outcome) == {
        "2019-01": (0, 0, 0),
        "2019-02": (20, 0, 0),
        "2019-03": (30, 0, 0),
        "2019-04": (0, 0, 0),
    }
    assert recorded(two_bad, MAIN) == {str(month) for month in MONTHS}
    fetched = {month: data["fetched"] for month, data in outcome.materialized(RAW).items()}
    assert fetched == {"2019-01": False, "2019-02": True, "2019-03": True, "2019-04": False}


def test_a_months_checks_carry_its_partition(four_months: Project):
    for check in four_months.run("2019-02").checks(MAIN).values():
        assert check.partition == "2019-02"
        assert check.passed
        assert check.metadata["rows"].value == 20


def test_a_ranges_check_names_the_months_that_failed(four_months: Project):
    four_months.put(made_trips(GREEN, FEBRUARY, 20), MARCH)  # all of March's pickups lie in February
    outcome = four_months.run(RANGE)
    assert outcome.success
    check = outcome.checks(MONTH)["pickups_are_in_month"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.description is not None
    assert "2019-03" in check.description
    assert check.metadata["failed months"].value == "2019-03"
    table = {record.data["month"]: record.data for record in check.metadata["months"].records}
    assert {month: row["passed"] for month, row in table.items()} == {
        "2019-01": "yes",
        "2019-02": "yes",
        "2019-03": "no",
        "2019-04": "yes",
    }
    assert table["2019-03"]["pickup outside the month"] == "20"


def test_a_month_with_another_number_of_rows_than_its_file_is_kept_from_main(loaded: Project):
    before = loaded.rows("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 50))
    assert loaded.run(stages=("raw", "month"), checks=False).success
    with loaded.warehouse().get_connection() as connection:
        connection.execute("DELETE FROM green_tripdata_2019_01 WHERE fare_amount = 10.5")
    outcome = loaded.run(stages=("main",), checks=("month", "main"))
    assert not outcome.success
    assert "duckdb/green_tripdata_month failed rows_match_file for 2019-01" in outcome.failure
    assert "rows in file 50" in outcome.failure
    assert "nothing downstream of it was changed" in outcome.failure
    assert outcome.materialized(MAIN) == {}
    assert loaded.rows("green_tripdata") == before
    check = outcome.checks(MONTH)["rows_match_file"]
    assert (check.passed, check.blocking, check.severity) == (False, True, dg.AssetCheckSeverity.ERROR)
    assert loaded.run().success


def test_ids_that_repeat_keep_a_month_from_main(loaded: Project):
    before = loaded.rows("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 50))
    assert loaded.run(stages=("raw", "month"), checks=False).success
    with loaded.warehouse().get_connection() as connection:
        connection.execute("UPDATE green_tripdata_2019_01 SET unique_row_id = 'same' WHERE fare_amount < 8")
    outcome = loaded.run(stages=("main",), checks=("month", "main"))
    assert "failed ids_are_unique for 2019-01" in outcome.failure
    assert loaded.rows("green_tripdata") == before


def test_a_release_file_that_misses_its_published_count_is_kept_from_main_but_others_are_not(four_months: Project):
    assert four_months.run(RANGE, stages=("raw",)).success
    manifest = four_months.landing / f"{GREEN.file_path(APRIL)}.json"
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**facts, "origin": RELEASE_ADDRESS}), encoding="utf-8")
    outcome = four_months.run(RANGE, stages=("month", "main"))
    assert "duckdb/green_tripdata_month failed rows_match_published for 2019-04" in outcome.failure
    assert "published rows 514392" in outcome.failure
    assert rows_by_month(four_months) == {"2019-01": 10, "2019-02": 20, "2019-03": 30}
    assert recorded(four_months, MAIN) == {"2019-01", "2019-02", "2019-03"}


def test_raw_files_are_purged_only_once_their_month_is_merged(two_bad: Project):
    assert not two_bad.run(RANGE, stages=("raw", "month"), keep_raw_files=False).success
    landed = [name for name in two_bad.landed_names() if name.endswith(".gz")]
    assert landed == [f"green_tripdata_{month}.csv.gz" for month in (JANUARY, FEBRUARY, APRIL)]
    assert not two_bad.run(RANGE, keep_raw_files=False).success
    assert two_bad.landed_names() == [
        "green_tripdata_2019-01.csv.gz.json",
        "green_tripdata_2019-02.csv.gz",
        "green_tripdata_2019-02.csv.gz.json",
        "green_tripdata_2019-04.csv.gz.json",
    ]


def test_a_month_whose_raw_file_was_purged_can_still_be_checked_and_loaded_again(four_months: Project):
    assert four_months.run(keep_raw_files=False).success
    alone = four_months.run(stages=(), checks=("month", "main"))
    assert alone.success
    assert alone.checks(MAIN)["rows_match_file"].metadata["rows in file"].value == 10
    assert changes(four_months.run(keep_raw_files=False)) == {"2019-01": (0, 0, 0)}


def test_a_raw_file_that_cannot_be_purged_fails_its_own_month_only(four_months: Project):
    assert four_months.run(RANGE, stages=("raw",)).success
    february = four_months.landing / GREEN.file_path(FEBRUARY)
    lock = february.with_name(f".{february.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    outcome = four_months.run(RANGE, stages=("month", "main"), keep_raw_files=False)
    assert not outcome.success
    assert "1 of 4 months failed" in outcome.failure
    assert "2019-02, raw/green_tripdata: green_tripdata_2019-02.csv.gz" in outcome.failure
    assert rows_by_month(four_months) == {str(month): rows_of(month) for month in MONTHS}
    assert recorded(four_months, MAIN) == {str(month) for month in MONTHS}


def test_each_asset_can_be_materialized_by_itself(four_months: Project):
    raw = four_months.run(RANGE, stages=("raw",))
    assert set(raw.materialized(RAW)) == {str(month) for month in MONTHS}
    assert not four_months.database.exists()
    month = four_months.run(RANGE, stages=("month",))
    assert set(month.materialized(MONTH)) == {str(month) for month in MONTHS}
    assert month.materialized(RAW) == month.materialized(MAIN) == {}
    assert "BASE TABLE green_tripdata" not in four_months.everything()
    main = four_months.run(RANGE, stages=("main",))
    assert changes(main) == {str(month): (rows_of(month), 0, 0) for month in MONTHS}


def test_the_main_table_alone_says_which_asset_must_come_first(project: Project):
    failure = project.run(stages=("main",), checks=False).failure
    assert "has no table green_tripdata_2019_01: materialize duckdb/green_tripdata_month for 2019-01 first." in failure


def test_the_monthly_table_alone_says_which_asset_must_come_first(project: Project):
    failure = project.run(stages=("month",), checks=False).failure
    assert "materialize raw/green_tripdata for 2019-01 first." in failure


def test_checks_alone_say_what_is_missing(project: Project):
    outcome = project.run(stages=(), checks=("main",))
    assert "has no table green_tripdata: materialize" in outcome.failure


@pytest.mark.parametrize("months", ["2019-01", "2019-01...2019-02"])
def test_checks_alone_change_nothing(loaded: Project, months: str):
    before = loaded.everything()
    outcome = loaded.run(months, stages=(), checks=("month", "main"))
    assert outcome.success
    assert outcome.checks(MONTH).keys() == {check.name for check in CHECKS["month"]}
    assert outcome.checks(MAIN).keys() == {check.name for check in CHECKS["main"]}
    assert outcome.materialized(MAIN) == {}
    records = outcome.checks(MAIN)["rows_match_file"].metadata["months"].records
    assert [record.data["month"] for record in records] == [str(month) for month in parse_month_range(months)]
    assert loaded.everything() == before


def test_a_job_without_months_fails_in_one_sentence(four_months: Project):
    job = four_months.definitions().resolve_job_def("load_duckdb")
    result = job.execute_in_process(instance=four_months.instance, raise_on_error=False)
    assert not result.success
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failures
    for failure in failures:
        assert failure.user_failure_data is not None
        assert failure.user_failure_data.description.startswith("No months were chosen for this run: choose")
