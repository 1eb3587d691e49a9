"""A trip's id: the MD5 of seven values as text, told apart where rows agree, the same for the same file every time."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets_tests.csv_files import Trip, made_trips, put_sample, read_trips
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN, JANUARY, YELLOW, Project

OCTOBER = Month(2020, 10)


def identity_text(taxi: Taxi, trip: Trip) -> str:
    """The values as they enter the id, from the file's text alone."""
    return "".join(_shortest(taxi, name, trip[name]) for name in taxi.identity)


def _shortest(taxi: Taxi, name: str, text: str) -> str:
    if text == "" or taxi.column(name).kind in ("timestamp", "text"):
        return text
    number = Decimal(text)
    return str(int(number)) if number == int(number) else f"{number:f}".rstrip("0")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def expected_ids(taxi: Taxi, trips: Iterable[Trip]) -> Counter[str]:
    """The ids of a file's rows; the n-th of rows that agree in all values mixes its ordinal in."""
    agreeing = Counter(md5(identity_text(taxi, trip)) for trip in trips)
    return Counter(
        plain if ordinal == 1 else md5(f"{plain}#{ordinal}")
        for plain, times in agreeing.items()
        for ordinal in range(1, times + 1)
    )


def ids(project: Project, taxi: Taxi = GREEN) -> Counter[str]:
    return Counter(row["unique_row_id"] for row in project.rows(taxi.table))


def a_trip(**values: str) -> Trip:
    (trip,) = made_trips(GREEN, JANUARY, 1)
    return trip | values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ["2", "2020-10-01 00:31:19", "2020-10-01 00:34:55", "7", "7", "5", ".79"],
            "bb93121817ed888931df19c1fc37dee8",
        ),
        (
            ["", "2020-10-11 15:59:00", "2020-10-11 16:44:00", "76", "33", "-83.53", "8.1"],
            "fc3df4474fee4387ef8c1a119610ac5b",
        ),
    ],
)
def test_the_known_trips_have_the_known_ids(project: Project, values: list[str], expected: str):
    project.put([a_trip(**dict(zip(GREEN.identity, values, strict=True)))], OCTOBER)
    assert project.run(str(OCTOBER)).success
    assert ids(project) == {expected: 1}


@pytest.mark.parametrize("text", ["5", "5.0", "5.00", "05", "+5", "5e0", " 5"])
def test_a_number_has_one_id_however_it_is_written(project: Project, text: str):
    project.put([a_trip(fare_amount=text)])
    assert project.run().success
    assert ids(project) == expected_ids(GREEN, [a_trip(fare_amount="5")])


@pytest.mark.parametrize(
    ("text", "shortest"),
    [("-.5", "-0.5"), ("0.0", "0"), ("-0.0", "0"), ("100", "100"), ("-100.10", "-100.1"), ("9999999999.9999",) * 2],
)
def test_a_number_enters_the_id_in_its_shortest_form(project: Project, text: str, shortest: str):
    trip = a_trip(fare_amount=text, trip_distance="1000")
    project.put([trip])
    assert project.run().success
    plain = "".join([trip[name] for name in GREEN.identity[:5]] + [shortest, "1000"])
    assert ids(project) == {md5(plain): 1}


@pytest.mark.parametrize("taxi", [GREEN, YELLOW], ids=lambda taxi: taxi.name)
def test_a_sample_months_ids_are_those_of_an_independent_calculation(project: Project, taxi: Taxi):
    path = put_sample(project.source, taxi, JANUARY, 8_000)
    assert project.run(taxi=taxi).success
    expected = expected_ids(taxi, read_trips(path))
    assert ids(project, taxi) == expected
    assert set(expected.values()) == {1}


def test_rows_that_agree_are_all_kept_with_ids_of_their_own(project: Project):
    trip = a_trip()
    project.put([trip, trip | {"tip_amount": "2"}, *made_trips(GREEN, JANUARY, 9)[1:], trip])
    assert project.run().success
    plain = md5(identity_text(GREEN, trip))
    by_id = {row["unique_row_id"]: row for row in project.rows("green_tripdata")}
    assert len(by_id) == 11
    tips = {by_id[name]["tip_amount"] for name in (plain, md5(f"{plain}#2"))}
    assert tips == {Decimal("0.5")}
    assert by_id[md5(f"{plain}#3")]["tip_amount"] == 2


@pytest.mark.parametrize("seed", range(3))
def test_ids_do_not_depend_on_the_order_of_the_rows(project: Project, seed: int):
    trips = [
        a_trip(tip_amount=str(tip), store_and_fwd_flag=flag, trip_type=kind)
        for tip in range(4)
        for flag in ("N", "Y", "")
        for kind in ("1", "")
    ]
    trips += [*trips[:5], *made_trips(GREEN, JANUARY, 20)]
    project.put(trips)
    assert project.run().success
    before = project.rows("green_tripdata")
    random.Random(seed).shuffle(trips)
    project.put(trips)
    outcome = project.run()
    merged = outcome.materialized("duckdb/green_tripdata")["2019-01"]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (0, 0, 0)
    assert project.rows("green_tripdata") == before


def test_the_same_trip_in_two_months_files_is_two_rows(project: Project):
    for month in ("2019-01", "2019-02"):
        project.put([a_trip()], Month.parse(month))
    assert project.run("2019-01...2019-02").success
    rows = project.rows("green_tripdata")
    assert [row["filename"] for row in rows] == ["green_tripdata_2019-01.csv", "green_tripdata_2019-02.csv"]
    assert rows[0]["unique_row_id"] == rows[1]["unique_row_id"]


@needs_real_data
@pytest.mark.parametrize(
    ("taxi", "month"), [(GREEN, "2020-10"), (YELLOW, "2019-01"), (YELLOW, "2020-06")], ids=lambda value: str(value)[:40]
)
def test_real_months_ids_are_those_of_an_independent_calculation(tmp_path: Path, taxi: Taxi, month: str):
    assert REAL_DATA is not None
    project = Project(tmp_path, address=str(REAL_DATA / "source"))
    assert project.run(month, taxi, checks=False).success
    assert ids(project, taxi) == expected_ids(
        taxi, read_trips(REAL_DATA / "source" / taxi.file_path(Month.parse(month)))
    )
