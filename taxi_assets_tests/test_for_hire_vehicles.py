"""For-hire vehicles are loaded like taxis: a record without fares, and one with fares of another kind."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from logging import getLogger
from pathlib import Path

import pyarrow as pa
import pytest

from emulators.running import Emulators
from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets_tests.csv_files import Trip, csv_bytes, made_trips, put_csv, put_sample, read_trips
from taxi_assets_tests.feed.parquet_files import feed_table, put_feed, table_of, with_column
from taxi_assets_tests.feed.project import FedProject
from taxi_assets_tests.gcp.conftest import emulators, faithful_emulators  # noqa: F401 - fixtures
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.gcp.test_same_as_duckdb import assert_same as assert_same_in_bigquery
from taxi_assets_tests.gcp.test_same_as_duckdb import load_in_both as load_into_bigquery_too
from taxi_assets_tests.postgres.conftest import schema_of_ones_own, server_url  # noqa: F401 - a fixture
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.postgres.test_same_as_duckdb import load_in_both
from taxi_assets_tests.project import FEBRUARY, JANUARY, Project
from taxi_assets_tests.test_trip_ids import expected_ids, md5

FHV, FHVHV = get_taxi("fhv"), get_taxi("fhvhv")
OCTOBER = Month(2020, 10)

each_taxi = pytest.mark.parametrize("taxi", [FHV, FHVHV], ids=lambda taxi: taxi.name)


@pytest.fixture(autouse=True)
def _chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_TAXIS", "fhv,fhvhv")


@pytest.fixture
def fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FedProject:
    """A project whose source is the feed."""
    monkeypatch.setenv("TAXI_SOURCE", "feed")
    (tmp_path / "feed").mkdir()
    return FedProject(tmp_path)


def ids(project: Project, taxi: Taxi) -> Counter[str]:
    return Counter(row["unique_row_id"] for row in project.rows(taxi.table))


def trips_of_the_release() -> list[Trip]:
    """Rows as the release of 2019 has them: most without zones, the same trip several times, bases with blanks."""
    return [
        {
            "dispatching_base_num": base,
            "pickup_datetime": "2019-01-01 00:30:00",
            "dropOff_datetime": "2019-01-01 02:51:55",
            "PUlocationID": pickup_zone,
            "DOlocationID": "",
            "SR_Flag": flag,
            "Affiliated_base_number": affiliated,
        }
        for base, pickup_zone, flag, affiliated in [
            ("B00001", "", "", "B00001"),
            ("B00001", "", "", "B00001"),
            ("B00001", "", "", "B00001"),
            ("B02510", "264", "1", ""),
            ("B00021         ", "7", "", "B00021         "),
            ("", "7", "", "B00021"),
        ]
    ]


def test_a_month_of_the_release_is_loaded_with_ids_made_of_all_columns(project: Project) -> None:
    trips = trips_of_the_release()
    put_csv(project.source, FHV, JANUARY, csv_bytes(FHV.header, trips))
    outcome = project.run(str(JANUARY), FHV)
    assert outcome.success, outcome.error
    assert all(check.passed for check in outcome.checks("duckdb/fhv_tripdata_month").values())
    plain = md5("B000012019-01-01 00:30:002019-01-01 02:51:55B00001")
    assert ids(project, FHV) == Counter(
        [
            plain,
            md5(f"{plain}#2"),
            md5(f"{plain}#3"),
            md5("B025102019-01-01 00:30:002019-01-01 02:51:552641"),
            md5("B00021         2019-01-01 00:30:002019-01-01 02:51:557B00021         "),
            md5("2019-01-01 00:30:002019-01-01 02:51:557B00021"),
        ]
    )
    blank = next(
        row for row in project.rows("fhv_tripdata") if row["PUlocationID"] == 7 and row["dispatching_base_num"]
    )
    assert blank["Affiliated_base_number"] == "B00021         "


def test_loading_the_same_month_again_changes_nothing_however_many_trips_repeat(project: Project) -> None:
    trips = made_trips(FHV, JANUARY, 40)
    project.put([*trips, *trips[:20], *trips[:10]], JANUARY, FHV)
    assert project.run(str(JANUARY), FHV).materialized("duckdb/fhv_tripdata")["2019-01"]["inserted"] == 70
    before = project.rows("fhv_tripdata")
    # The order of a file's rows makes no difference.
    project.put([*trips[:20], *trips[::-1], *trips[:10]], JANUARY, FHV)
    merged = project.run(str(JANUARY), FHV).materialized("duckdb/fhv_tripdata")["2019-01"]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (0, 0, 0)
    assert project.rows("fhv_tripdata") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"SR_Flag": pa.null(), "dispatching_base_num": pa.large_string()},
        {"SR_Flag": pa.float64(), "PUlocationID": pa.float64(), "DOlocationID": pa.float64()},
        {"SR_Flag": pa.int64(), "DOlocationID": pa.int32()},
    ],
    ids=["2019-03", "2017-05", "2023-02"],
)
def test_a_month_of_the_feed_may_have_any_type_that_published_months_have(
    fed: FedProject, changes: dict[str, pa.DataType]
) -> None:
    trips = trips_of_the_release()
    table = table_of(FHV, trips)
    for name, type_ in changes.items():
        table = with_column(table, name, type_)
    fed.publish(table, JANUARY, FHV)
    assert fed.run(str(JANUARY), FHV).success
    without_flag = [{**trip, "SR_Flag": ""} for trip in trips] if changes["SR_Flag"] == pa.null() else trips
    assert ids(fed, FHV) == expected_ids(FHV, without_flag)


def test_column_names_may_be_spelled_as_in_other_years(fed: FedProject) -> None:
    table = feed_table(FHV, OCTOBER, 30)
    fed.publish(table, OCTOBER, FHV)
    assert fed.run(str(OCTOBER), FHV).success
    before = fed.rows("fhv_tripdata")
    spelled = {"dropOff_datetime": "DropOff_datetime", "PUlocationID": "PULocationID", "SR_Flag": "SR_flag"}
    fed.publish(table.rename_columns([spelled.get(name, name) for name in table.column_names]), OCTOBER, FHV)
    assert fed.run(str(OCTOBER), FHV).success
    assert fed.rows("fhv_tripdata") == before


def test_a_high_volume_month_may_lack_the_columns_that_came_later(fed: FedProject) -> None:
    table = feed_table(FHVHV, FEBRUARY, 30).drop_columns(["cbd_congestion_fee"])
    table = with_column(table, "wav_match_flag", pa.null())
    table = with_column(table, "airport_fee", pa.null())
    fed.publish(table, FEBRUARY, FHVHV)
    outcome = fed.run(str(FEBRUARY), FHVHV)
    assert outcome.success, outcome.error
    rows = fed.rows("fhvhv_tripdata")
    assert len(rows) == 30
    assert {(row["wav_match_flag"], row["airport_fee"], row["cbd_congestion_fee"]) for row in rows} == {(None,) * 3}


def test_a_high_volume_trip_is_identified_by_the_counterparts_of_the_seven_values(fed: FedProject) -> None:
    (trip,) = made_trips(FHVHV, FEBRUARY, 1)
    trip |= {"hvfhs_license_num": "HV0003", "base_passenger_fare": "22.14", "trip_miles": "2.45"}
    fed.publish(table_of(FHVHV, [trip]), FEBRUARY, FHVHV)
    assert fed.run(str(FEBRUARY), FHVHV).success
    text = "HV0003" + trip["pickup_datetime"] + trip["dropoff_datetime"] + "1122.142.45"
    assert ids(fed, FHVHV) == Counter([md5(text)])
    (row,) = fed.rows("fhvhv_tripdata")
    assert row["base_passenger_fare"] == Decimal("22.14")


@each_taxi
def test_the_sample_has_such_months_with_oddities_and_repeated_trips(taxi: Taxi, project: Project) -> None:
    path = put_sample(project.source, taxi, OCTOBER, 4_000)
    outcome = project.run(str(OCTOBER), taxi)
    assert outcome.success, outcome.error
    trips = read_trips(path)
    assert ids(project, taxi) == expected_ids(taxi, trips)
    checks = outcome.checks(f"duckdb/{taxi.table}_month")
    assert [name for name, check in checks.items() if not check.passed] == []
    assert checks["values_are_plausible"].metadata["months"].records[0].data["rows"] != ""
    (summary,) = summarize(project.warehouse(), "duckdb").taxis
    assert summary.has("fare") is (taxi is FHVHV)
    assert summary.total.trips == 4_000


def test_the_samples_services_are_those_that_there_are(project: Project) -> None:
    trips = read_trips(put_sample(project.source, FHVHV, OCTOBER, 2_000))
    services = Counter(trip["hvfhs_license_num"] for trip in trips)
    assert [name for name, _ in services.most_common()] == ["HV0003", "HV0005", "HV0004", "HV0002"]


def test_published_months_of_the_feed_are_compared_with_their_counts(fed: FedProject) -> None:
    fed.publish(feed_table(FHV, JANUARY, 30), JANUARY, FHV)
    assert fed.run(str(JANUARY), FHV, checks=False).success
    found = fed.checked("rows_match_published", FHV, JANUARY)
    assert (found["passed"], found["severity"], found["published rows"]) == (False, "WARN", 23_159_064)


@pytest.mark.parametrize(
    ("taxi", "source", "month", "sentence"),
    [
        ("fhvhv", "release", "2020-10", "are not in the release: set TAXI_SOURCE to feed or auto, .* since 2019-02."),
        ("fhv", "feed", "2014-12", "choose from 2015-01 to .*, since earlier files do not have today's columns."),
        ("yellow", "auto", "2010-12", "2010-12 is not among the months of Yellow taxi: choose from 2011-01 to "),
        ("green", "auto", "2013-12", "2013-12 is not among the months of Green taxi: choose from 2014-01 to "),
        ("fhvhv", "feed", "2019-01", "choose from 2019-02 to "),
        ("fhv", "release", "2018-12", "choose from 2019-01 to 2021-07, or set TAXI_SOURCE=auto for earlier ones."),
    ],
)
def test_a_month_that_a_source_can_t_have_is_refused_in_one_sentence(
    taxi: str, source: str, month: str, sentence: str
) -> None:
    with pytest.raises(UnknownTaxiOrMonthError, match=sentence):
        TripSource(address=source, landing="unused").require_month(get_taxi(taxi), Month.parse(month))


@pytest.mark.parametrize(
    ("taxi", "month", "name"),
    [
        ("yellow", "2011-01", "yellow_tripdata_2011-01.parquet"),
        ("green", "2018-12", "green_tripdata_2018-12.parquet"),
        ("green", "2019-01", "green_tripdata_2019-01.csv.gz"),
        ("fhv", "2015-01", "fhv_tripdata_2015-01.parquet"),
        ("fhv", "2021-07", "fhv_tripdata_2021-07.csv.gz"),
        ("fhv", "2021-08", "fhv_tripdata_2021-08.parquet"),
        ("fhvhv", "2020-10", "fhvhv_tripdata_2020-10.parquet"),
    ],
)
def test_release_and_feed_in_turn_are_asked_for_what_each_has(taxi: str, month: str, name: str) -> None:
    source = TripSource(address="auto", landing="unused")
    source.require_month(get_taxi(taxi), Month.parse(month))
    assert source.trip_file(get_taxi(taxi), Month.parse(month)).name == name


def test_months_before_the_release_are_loaded_and_those_before_today_s_columns_are_refused(fed: FedProject) -> None:
    july = Month(2017, 7)
    put_feed(fed.feed, FHV, july, feed_table(FHV, july, 30))
    assert fed.run(str(july), FHV).success
    assert len(fed.rows("fhv_tripdata_2017_07")) == 30
    assert "2017-07 is not among the months of High-volume for-hire vehicle" in fed.run(str(july), FHVHV).failure
    assert "2014-12 is not a month of any chosen taxi at this source: choose from 2015-01 to " in (
        fed.run("2014-12...2015-01", FHV).failure
    )


@each_taxi
def test_all_warehouses_agree_on_ids_and_sums(taxi: Taxi, tmp_path: Path, server_url: str) -> None:  # noqa: F811
    with schema_of_ones_own(server_url) as schema:
        project = PostgresProject(tmp_path, server_url, schema)
        path = put_sample(project.source, taxi, OCTOBER, 2_000)
        load_in_both(project, str(OCTOBER), taxi)
        profiles = [
            warehouse.profile_month(taxi, OCTOBER, "main", getLogger(__name__))
            for warehouse in (project.warehouse(), project.postgres())
        ]
        assert profiles[0] == profiles[1]
        assert Counter(
            str(id_).replace("-", "") for (id_,) in project.query(f"SELECT unique_row_id FROM {taxi.table}")
        ) == expected_ids(taxi, read_trips(path))


@each_taxi
def test_bigquery_agrees_on_them_too(taxi: Taxi, tmp_path: Path, faithful_emulators: Emulators) -> None:  # noqa: F811
    project = GcpProject(tmp_path, faithful_emulators)
    project.set_up()
    put_sample(project.source, taxi, OCTOBER, 300)
    load_into_bigquery_too(project, str(OCTOBER), taxi)
    assert_same_in_bigquery(project, taxi, [OCTOBER])
