"""What a taxi is stands once, as data, and a new taxi is a new file."""

from __future__ import annotations

import re

import pytest

from taxi_assets.errors import DefinitionError, UnknownTaxiOrMonthError
from taxi_assets.months import Month, parse_month_range
from taxi_assets.published import PublishedCount, published_month
from taxi_assets.taxis import Taxi, all_taxis, get_taxi
from taxi_assets.taxis.definition import read_taxi
from taxi_assets_tests.paths import MADE_TAXI, PROJECT


def published_rows(taxi: str, months: str, name: str) -> int:
    counts = [published_month(get_taxi(taxi), month).count_of(name) for month in parse_month_range(months)]
    return sum(count.rows for count in counts if count)


def test_published_counts_add_up_to_the_known_sums() -> None:
    assert published_rows("yellow", "2020-01...2020-12", ".csv") == 24_648_499
    assert published_rows("green", "2020-01...2020-12", ".csv") == 1_734_051
    assert published_rows("yellow", "2021-03", ".csv") == 1_925_152
    assert published_rows("yellow", "2022-01...2022-12", ".parquet") == 39_656_098
    assert published_rows("yellow", "2023-01...2023-12", ".parquet") == 38_310_226
    assert published_rows("yellow", "2024-01...2024-06", ".parquet") == 20_332_093
    assert published_rows("green", "2022-01...2022-12", ".parquet") == 840_402


def test_a_taxi_with_published_counts_has_one_for_each_month_of_the_release() -> None:
    counted = set()
    for taxi in all_taxis().values():
        months = parse_month_range(f"{taxi.first_month}...{taxi.last_month}")
        known = [month for month in months if published_month(taxi, month).release]
        assert known in ([], months)
        counted |= {taxi.name} if known else set()
    assert {"green", "yellow"} <= counted


def test_both_sources_have_a_count_of_their_own() -> None:
    january = published_month(get_taxi("green"), Month(2019, 1))
    assert january.count_of("green_tripdata_2019-01.csv") == PublishedCount(630_918, "counted")
    assert january.count_of("green_tripdata_2019-01.parquet") == PublishedCount(672_105, "its footer")
    later = published_month(get_taxi("green"), Month(2025, 10))
    assert later.count_of("green_tripdata_2025-10.csv") is None
    assert later.count_of("green_tripdata_2025-10.parquet") == PublishedCount(49_416, "its footer")


def test_only_counted_figures_are_sure() -> None:
    counts = {
        known: published_month(get_taxi("yellow"), Month.parse(month)).release
        for known, month in {
            "counted": "2019-01",
            "derived": "2019-05",
            "parquet": "2019-07",
            "unsourced": "2021-07",
        }.items()
    }
    assert {known: count.is_sure for known, count in counts.items() if count} == {
        "counted": True,
        "derived": False,
        "parquet": False,
        "unsourced": False,
    }


@pytest.mark.parametrize("taxi", all_taxis().values(), ids=lambda taxi: taxi.name)
def test_every_column_has_a_whole_sentence_for_its_description(taxi: Taxi) -> None:
    assert all(column.description.endswith(".") for column in taxi.columns)


def test_trips_are_identified_by_the_seven_values_of_the_recipe_where_taxis_have_them() -> None:
    recipe = ("vendor", "pickup", "dropoff", "pickup_zone", "dropoff_zone", "fare", "distance")
    found = {
        taxi.name: tuple(column.name if column else "" for column in map(taxi.column_for, recipe))
        for taxi in all_taxis().values()
    }
    having = {name: columns for name, columns in found.items() if all(columns)}
    assert having == {name: get_taxi(name).identity for name in having}
    assert {"green", "yellow"} <= set(having)
    assert having["green"] == (
        "VendorID",
        "lpep_pickup_datetime",
        "lpep_dropoff_datetime",
        "PULocationID",
        "DOLocationID",
        "fare_amount",
        "trip_distance",
    )


def test_names_follow_from_taxi_and_month() -> None:
    green, month = get_taxi("green"), Month(2020, 10)
    assert green.csv_name(month) == "green_tripdata_2020-10.csv"
    assert green.file_path(month) == "green/green_tripdata_2020-10.csv.gz"
    assert green.month_table(month) == "green_tripdata_2020_10"


@pytest.mark.parametrize(
    "text", ["2020-13", "2020-1", "20-10", "october", "2020-10-01", "", "2020-01...", "...2020-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UnknownTaxiOrMonthError, match="write it as YYYY-MM"):
        parse_month_range(text)


def test_a_range_crosses_years() -> None:
    assert [str(month) for month in parse_month_range("2019-11...2020-02")] == [
        "2019-11",
        "2019-12",
        "2020-01",
        "2020-02",
    ]
    assert parse_month_range("2019-11..2020-02") == parse_month_range("2019-11...2020-02")


def test_no_code_asks_which_taxi_or_warehouse_it_has_before_it() -> None:
    asking = re.compile(r"==\s*[\"'](yellow|green|duckdb|postgres|bigquery)|[\"'](yellow|green)[\"']\s*(==|in\b)")
    code = sorted((PROJECT / "taxi_assets").rglob("*.py"))
    assert code
    assert [str(path) for path in code if asking.search(path.read_text())] == []


LIMOUSINE = MADE_TAXI.read_text()


def test_columns_are_found_in_any_case_and_keep_the_spelling_of_their_definition() -> None:
    taxi = read_taxi("limousine", LIMOUSINE)
    assert taxi.column("PULOCATIONID").name == "PUlocationID"
    assert taxi.identity == ("dispatching_base_num", "pickup_datetime", "dropOff_datetime", "PUlocationID")
    assert (taxi.pickup, taxi.dropoff) == ("pickup_datetime", "dropOff_datetime")
    zone, total = taxi.column_for("pickup_zone"), taxi.column_for("total")
    assert (zone and zone.name, total) == ("PUlocationID", None)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('title = "Limousine"', "title = Limousine", "Invalid value (at line 3, column 9)"),
        ('title = "Limousine"', "", "limousine.toml: title: Field required."),
        ('title = "Limousine"', "title = 5", "title: Input should be a valid string."),
        ('title = "Limousine"', 'name = "Limousine"', "name: Extra inputs are not permitted."),
        ("required = true", "needed = true", "columns 0 needed: Unexpected keyword argument."),
        (
            'kind = "text"',
            'kind = "string"',
            "columns 0 kind: Input should be 'integer', 'decimal', 'timestamp' or 'te",
        ),
        ('"2019-04"', '"April 2019"', "“April 2019” is not a month: write it as YYYY-MM, for example 2020-10."),
        ('"2019-04"', '"2019-02"', "last_month is before first_month."),
        ('meaning = "pickup_zone"', 'meaning = "place"', "PUlocationID has the meaning “place”: choose from vendor, "),
        ('meaning = "pickup_zone"', 'meaning = "fare"', "PUlocationID means fare, so its kind must be decimal."),
        ('meaning = "pickup_zone"', 'meaning = "dropoff_zone"', "there is more than one meaning dropoff_zone."),
        ('meaning = "dropoff"\n', "", 'no column has meaning = "dropoff".'),
        ('meaning = "pickup"\nrequired', 'meaning = "pickup"\nonly_in_feed = true\nrequired', "can't be both only_in_"),
        ('meaning = "pickup"\nrequired = true', 'meaning = "pickup"', "pickup_datetime means pickup, so it needs req"),
        ("minimum = 1\n", "minimum = 1\nbelow_minimum_in_feed = 3\n", "a share of rows between 0 and 1, such as 0.03"),
        ('name = "SR_Flag"', 'name = "SR_Flag"\nbelow_minimum_in_feed = 0.1', "so it needs a minimum"),
        ('name = "SR_Flag"', 'name = "SR_Flag"\nexamples = ["1"]', "SR_Flag has examples, so its kind must be text"),
        ('name = "SR_Flag"', 'name = "SR_Flag"\nonly_in_feed = true', "columns with only_in_feed must come after all"),
        ('name = "SR_Flag"', 'name = "pulocationid"', "there is more than one column pulocationid."),
        ('name = "SR_Flag"', 'name = "FileName"', "FileName is the name of a column that is added to every table."),
        ('"PUlocationID"]', '"fare"]', "identity names fare, which is not a column of the release."),
        ('first_month = "2019-03"', 'first_month = "2019-03"\ncolor = "red"', "color: String should match pattern"),
    ],
)
def test_a_wrong_definition_is_refused_in_one_sentence(old: str, new: str, fault: str) -> None:
    assert old in LIMOUSINE
    with pytest.raises(DefinitionError, match=re.escape(fault)) as refusal:
        read_taxi("limousine", LIMOUSINE.replace(old, new, 1))
    assert str(refusal.value).startswith("taxi_assets/taxis/limousine.toml")


def test_a_taxi_s_name_must_fit_into_names_of_tables() -> None:
    with pytest.raises(DefinitionError, match="must consist of lower-case letters, digits and underscores"):
        read_taxi("For-hire", LIMOUSINE)
