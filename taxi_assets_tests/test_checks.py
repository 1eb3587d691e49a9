"""What each check says about a month, from the numbers alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_assets.assets.checks import CHECKS, SAME_IN_ALL_WAREHOUSES, Evidence, MonthCheck, Verdict
from taxi_assets.published import PublishedCount, PublishedMonth
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.raw_files import FileVersion, LandedFile
from taxi_assets.taxis import all_taxis, get_taxi
from taxi_assets.warehouses.duckdb.dialect import DIALECT
from taxi_assets.warehouses.measures import Group, MonthProfile, limits_in_feed, rules_of
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Project

LANDED = LandedFile(Path("file"), "https://mirror.example", FileVersion(1), 1, "", 1, 1_000, GREEN.header)
COUNTED = PublishedMonth(PublishedCount(1_000, "counted"))
CLEAN = MonthProfile(
    rows=1_000,
    repeated_ids=0,
    id_digest=77,
    odd_rows={
        "outside": {"pickup outside the month": 0},
        "missing": {"missing fare_amount": 0},
        "implausible": {"fare_amount below 0": 0, "dropoff before pickup": 0},
    },
    sums={"fare_amount": Decimal(5)},
)


def check(name: str) -> MonthCheck:
    (found,) = {check.name: check for check in [*CHECKS["month"], *CHECKS["main"]] if check.name == name}.values()
    return found


def with_odd_rows(group: Group, **counts: int) -> dict[str, Any]:
    """What a profile says where the rules of a group count these rows."""
    return {"odd_rows": {**CLEAN.odd_rows, group: counts}}


def judge(
    name: str, *, landed: LandedFile | None = LANDED, published: PublishedMonth = COUNTED, **numbers: Any
) -> Verdict:
    """The verdict about a month without fault, but for these numbers."""
    return check(name).judge(Evidence(replace(CLEAN, **numbers), landed, published))


@pytest.mark.parametrize("name", [check.name for check in CHECKS["month"]])
def test_a_month_without_fault_passes(name: str):
    verdict = judge(name)
    assert verdict.passed
    assert not verdict.stops


def test_the_main_table_is_checked_for_rows_and_ids():
    assert [check.name for check in CHECKS["main"]] == ["rows_match_file", "ids_are_unique"]
    assert {check.name for check in CHECKS["month"] if check.blocking} == {
        "rows_match_file",
        "ids_are_unique",
        "rows_match_published",
    }


@pytest.mark.parametrize(("rows", "difference"), [(999, -1), (1_001, 1), (0, -1_000)])
def test_another_number_of_rows_than_in_the_file_stops(rows: int, difference: int):
    verdict = judge("rows_match_file", rows=rows)
    assert not verdict.passed
    assert verdict.stops
    assert verdict.numbers == {"rows": rows, "rows in file": 1_000, "difference": difference}


def test_a_month_whose_file_never_landed_here_warns():
    verdict = judge("rows_match_file", landed=None)
    assert not verdict.passed
    assert not verdict.stops
    assert "no raw file" in verdict.note


def test_ids_that_repeat_stop():
    verdict = judge("ids_are_unique", repeated_ids=2)
    assert verdict.stops
    assert verdict.numbers["repeated ids"] == 2


@pytest.mark.parametrize(
    ("origin", "known_from", "stops"),
    [
        (RELEASE_ADDRESS, "counted", True),
        (RELEASE_ADDRESS, "derived", False),
        (RELEASE_ADDRESS, "parquet", False),
        (RELEASE_ADDRESS, "unsourced", False),
        ("https://mirror.example", "counted", False),
        ("folder /data", "counted", False),
    ],
)
def test_a_published_count_that_is_missed_stops_only_where_file_and_count_are_sure(
    origin: str, known_from: str, stops: bool
):
    published = PublishedMonth(PublishedCount(1_010, known_from))
    verdict = judge("rows_match_published", landed=replace(LANDED, origin=origin), published=published)
    assert not verdict.passed
    assert verdict.stops == stops
    assert verdict.numbers == {"rows": 1_000, "published rows": 1_010, "difference": -10}
    assert known_from in verdict.note


def test_the_published_count_does_not_concern_the_sample():
    verdict = judge("rows_match_published", landed=replace(LANDED, origin=SAMPLE_NAME), rows=5)
    assert verdict.passed
    assert "sample" in verdict.note


def test_a_month_without_a_known_count_passes_and_says_so():
    verdict = judge("rows_match_published", published=PublishedMonth())
    assert verdict.passed
    assert "published count is not known" in verdict.note


@pytest.mark.parametrize(
    ("file", "published", "other"),
    [("green_tripdata_2019-01.csv.gz", 1_010, "feed"), ("green_tripdata_2019-01.parquet", 1_020, "release")],
)
def test_a_month_is_compared_with_the_source_it_comes_from_and_the_others_count_is_told(
    file: str, published: int, other: str
):
    counts = PublishedMonth(release=PublishedCount(1_010, "counted"), feed=PublishedCount(1_020, "its footer"))
    verdict = judge("rows_match_published", landed=replace(LANDED, path=Path(file)), published=counts)
    assert not verdict.stops
    assert verdict.numbers == {
        "rows": 1_000,
        "published rows": published,
        "difference": 1_000 - published,
        f"rows in the {other}": 2_030 - published,
    }


def test_a_published_count_that_is_missed_without_a_file_here_warns():
    verdict = judge("rows_match_published", landed=None, rows=5)
    assert not verdict.passed
    assert not verdict.stops


def test_a_required_value_that_is_missing_fails_and_names_the_column():
    counts = {"missing fare_amount": 0, "missing PULocationID": 3}
    verdict = judge("required_values_are_there", **with_odd_rows("missing", **counts))
    assert not verdict.passed
    assert verdict.numbers == counts
    assert not check("required_values_are_there").blocking


@pytest.mark.parametrize(("outside", "passed"), [(0, True), (10, True), (11, False), (1_000, False)])
def test_more_than_one_pickup_in_a_hundred_outside_the_month_warns(outside: int, passed: bool):
    verdict = judge("pickups_are_in_month", **with_odd_rows("outside", **{"pickup outside the month": outside}))
    assert verdict.passed == passed
    assert not verdict.stops
    assert verdict.numbers == {"pickup outside the month": outside, "share": outside / 1_000}


def test_a_month_without_rows_has_no_share_outside():
    assert judge("pickups_are_in_month", rows=0).passed


@pytest.mark.parametrize(("count", "passed"), [(4, True), (10, True), (11, False)])
@pytest.mark.parametrize(
    "found", ["fare_amount below 0", "trip_distance above 500", "dropoff before pickup", "longer than a day"]
)
def test_implausible_values_are_counted_by_kind_and_warn_if_there_are_more_than_one_in_a_hundred(
    found: str, count: int, passed: bool
):
    verdict = judge("values_are_plausible", **with_odd_rows("implausible", **{found: count, "any other rule": 0}))
    assert verdict.passed == passed
    assert not verdict.stops
    assert verdict.numbers == {"rows": 1_000, found: count}
    expected = f"more often than usual: {found} in {count / 1_000:.1%} of the rows (up to 1% is usual)"
    assert verdict.note == ("" if passed else expected)


OF_FEED = replace(LANDED, path=Path("file.parquet"))


@pytest.mark.parametrize(
    ("landed", "count", "passed"),
    [
        pytest.param(OF_FEED, 150, True, id="a month of the feed like those of 2025"),
        pytest.param(OF_FEED, 151, False, id="more than in any month of the feed"),
        pytest.param(LANDED, 11, False, id="a month of the release"),
    ],
)
def test_a_kind_of_implausible_value_may_be_as_frequent_as_the_definition_says_for_the_feed(
    landed: LandedFile, count: int, passed: bool
):
    profile = replace(CLEAN, odd_rows={**CLEAN.odd_rows, "implausible": {"fare_amount below 0": count}})
    limits = limits_in_feed(get_taxi("yellow"))
    verdict = check("values_are_plausible").judge(Evidence(profile, landed, COUNTED, limits_in_feed=limits))
    assert verdict.passed == passed
    assert ("up to 15% is usual" in verdict.note) == (landed is OF_FEED and not passed)


def test_limits_are_stated_by_the_names_of_the_rules():
    for taxi in all_taxis().values():
        names = {rule.name for rule in rules_of(taxi, DIALECT) if rule.group == "implausible"}
        assert limits_in_feed(taxi).keys() <= names


def test_the_numbers_are_those_of_the_table(project: Project):
    """What the warehouse measures, with one row for each number."""
    trips = made_trips(GREEN, JANUARY, 300)
    trips[0]["lpep_pickup_datetime"] = "2018-12-31 23:59:59"
    trips[1]["lpep_dropoff_datetime"] = "2019-01-01 00:00:00"
    trips[2]["lpep_dropoff_datetime"] = "2019-01-02 00:02:01"
    trips[3]["fare_amount"] = "-0.01"
    trips[4]["fare_amount"] = "10000.01"
    trips[5]["PULocationID"] = "266"
    trips[6]["DOLocationID"] = ""
    trips[7]["lpep_pickup_datetime"] = "2019-02-01 00:00:00"
    trips[7]["lpep_dropoff_datetime"] = "2019-02-01 00:00:00"
    trips[8]["lpep_pickup_datetime"] = "2019-01-31 23:59:59"
    trips[8]["lpep_dropoff_datetime"] = "2019-02-01 23:59:59"
    project.put(trips)
    checks = project.run().checks("duckdb/green_tripdata_month")
    assert {name: evaluation.passed for name, evaluation in checks.items()} == {
        "rows_match_file": True,
        "ids_are_unique": True,
        "rows_match_published": False,
        "columns_are_known": True,
        "required_values_are_there": False,
        "pickups_are_in_month": True,
        "values_are_plausible": True,
    }
    assert numbers(checks["required_values_are_there"])["missing DOLocationID"] == 1
    assert numbers(checks["pickups_are_in_month"])["pickup outside the month"] == 2
    assert numbers(checks["values_are_plausible"]) == {
        "rows": 300,
        "fare_amount below 0": 1,
        "fare_amount above 10,000": 1,
        "PULocationID above 265": 1,
        "dropoff before pickup": 1,
        "longer than a day": 1,
    }


def numbers(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items() if not name.endswith("months")}


OTHER_SUM = replace(CLEAN, sums={"fare_amount": Decimal("5.01")})


@pytest.mark.parametrize(
    ("there", "passed", "note"),
    [
        pytest.param(CLEAN, True, "", id="the same"),
        pytest.param(replace(CLEAN, rows=999), False, "rows differ from other", id="other rows"),
        pytest.param(replace(CLEAN, id_digest=78), False, "ids differ from other", id="other ids"),
        pytest.param(OTHER_SUM, False, "sums of fare_amount differ from other", id="other sum"),
        pytest.param(replace(OTHER_SUM, rows=0), True, "which does not have the month", id="not loaded there"),
        pytest.param("it is away", True, "not compared with other: it is away", id="not reachable"),
    ],
)
def test_a_month_is_compared_with_other_warehouses(there: MonthProfile | str, passed: bool, note: str) -> None:
    verdict = SAME_IN_ALL_WAREHOUSES.judge(Evidence(CLEAN, LANDED, COUNTED, elsewhere={"other": there}))
    assert verdict.passed == passed
    assert note in verdict.note
