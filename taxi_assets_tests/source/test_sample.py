"""The sample: files of the published form, the same bytes for ever, with everything in them that real files hold."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from taxi_assets.errors import NotPublishedError
from taxi_assets.months import Month
from taxi_assets.source.raw_files import FileVersion, RawFile, trip_file, zones_file
from taxi_assets.source.sample.origin import SampleOrigin, sample_rows, write_trips, write_zones
from taxi_assets.taxis import Column, Taxi, all_taxis, get_taxi
from taxi_assets.taxis.definition import read_taxi
from taxi_assets_tests.paths import MADE_TAXI, REAL_DATA, needs_real_data

LOG = logging.getLogger(__name__)
Row = dict[str, str]

TIMESTAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
DISTANCE = r"([1-9]\d*)?\.\d\d"
AMOUNT = r"(?!-0,|-0$)-?(0|[1-9]\d*)(\.\d?[1-9])?"
INTEGER = r"\d+"


def csv_of(taxi: Taxi, month: str, rows: int | None = None) -> bytes:
    target = io.BytesIO()
    write_trips(taxi, Month.parse(month), target, rows=rows, compress_level=1)
    return gzip.decompress(target.getvalue())


def rows_of(csv: bytes) -> list[Row]:
    header, *lines = csv.decode("ascii").removesuffix("\r\n").split("\r\n")
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def with_column(taxi: Taxi, column: Column) -> Taxi:
    return replace(taxi, columns=(column, *taxi.columns))


def seconds_of(taxi: Taxi, row: Row) -> float:
    return (datetime.fromisoformat(row[taxi.dropoff]) - datetime.fromisoformat(row[taxi.pickup])).total_seconds()


def identity_of(taxi: Taxi, row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in taxi.identity)


def every_month() -> Iterator[tuple[Taxi, Month]]:
    for taxi in all_taxis().values():
        month = taxi.first_month
        while month <= taxi.last_month:
            yield taxi, month
            month = month.next()


@pytest.fixture(params=["green", "yellow"])
def taxi(request) -> Taxi:
    return get_taxi(request.param)


@pytest.fixture(params=["2019-01", "2020-10"])
def rows(request, taxi) -> list[Row]:
    return rows_of(csv_of(taxi, request.param))


class TestForm:
    def test_the_header_is_the_published_one(self, taxi):
        assert csv_of(taxi, "2020-10", rows=0) == ",".join(taxi.header).encode() + b"\r\n"

    @pytest.mark.parametrize("month", ["2019-01", "2020-04", "2020-10"])
    def test_every_line_has_the_published_form(self, taxi, month):
        def pattern(column: Column) -> str:
            if column.name == "ehail_fee":
                return ""
            if column.name == "store_and_fwd_flag":
                return "[NY]?"
            if column.kind == "timestamp":
                return TIMESTAMP
            if column.kind == "integer":
                return INTEGER if column.required else f"({INTEGER})?"
            if column.name == "trip_distance":
                return DISTANCE
            return f"({AMOUNT})?" if column.name == "congestion_surcharge" else AMOUNT

        line_form = re.compile(",".join(pattern(column) for column in taxi.release_columns))
        text = csv_of(taxi, month).decode("ascii")
        lines = text.split("\r\n")
        assert lines[-1] == ""
        assert [line for line in lines[1:-1] if not line_form.fullmatch(line)] == []
        assert '"' not in text
        assert text.count("\n") == text.count("\r") == len(lines) - 1

    def test_numbers_of_every_published_shape_occur(self, rows):
        distances = {re.sub(r"\d", "9", row["trip_distance"]) for row in rows}
        assert {".99", "9.99", "99.99", "999999.99"} <= distances
        fares = {re.sub(r"\d", "9", row["fare_amount"]) for row in rows}
        assert {"9", "9.9", "99.99", "-9.9"} <= fares

    def test_the_file_holds_as_many_rows_as_asked_for_across_chunks(self, taxi):
        assert csv_of(taxi, "2020-10", rows=70_001).count(b"\r\n") == 70_002

    def test_duckdb_reads_it_with_strict_types(self, taxi, tmp_path):
        types = {"integer": "BIGINT", "decimal": "DECIMAL(14,4)", "timestamp": "TIMESTAMP", "text": "VARCHAR"}
        columns = {column.name: types[column.kind] for column in taxi.release_columns}
        path = tmp_path / "month.csv.gz"
        with path.open("wb") as target:
            write_trips(taxi, Month(2020, 10), target, rows=2000)
        counts = duckdb.sql(
            f"SELECT count(*), count({taxi.pickup}), count(total_amount), count(DISTINCT {taxi.dropoff}) > 1900 "
            "FROM read_csv(?, columns = ?, header = true, auto_detect = false, delim = ',', new_line = '\\r\\n')",
            params=[str(path), columns],
        ).fetchall()
        assert counts == [(2000, 2000, 2000, True)]


class TestSameForEver:
    @pytest.mark.parametrize(
        ("name", "month", "sha256"),
        [
            ("green", "2020-10", "3cca8df14cf44e86bbc6f4f947c361e080b57b3b784b69998ed1a22ef4b3d41e"),
            ("yellow", "2019-01", "5531ccc1785a6ac566b328ad02041a1ad8f81dd992d6b7b03083996f7fe207a3"),
        ],
    )
    def test_a_small_month_has_these_very_bytes(self, name, month, sha256):
        assert hashlib.sha256(csv_of(get_taxi(name), month, rows=1000)).hexdigest() == sha256

    def test_the_gzip_file_is_the_same_each_time(self, taxi):
        first, second = io.BytesIO(), io.BytesIO()
        for target in (first, second):
            write_trips(taxi, Month(2020, 10), target, rows=1000)
        assert first.getvalue() == second.getvalue()

    def test_taxis_and_months_differ(self):
        trips = {csv_of(taxi, str(month), rows=50).partition(b"\r\n")[2] for taxi, month in every_month()}
        assert len(trips) == len(list(every_month()))


class TestWhatTheTripsAreLike:
    def test_the_evening_is_busier_than_the_early_morning(self, taxi, rows):
        hours = Counter(row[taxi.pickup][11:13] for row in rows)
        assert min(hours["17"], hours["18"], hours["19"]) > 4 * max(hours["03"], hours["04"])

    def test_weekend_nights_are_busier_than_weekday_nights(self, taxi, rows):
        nights = [datetime.fromisoformat(row[taxi.pickup]) for row in rows if row[taxi.pickup][11:13] in ("01", "02")]
        weekend = sum(night.weekday() >= 5 for night in nights)
        assert weekend > len(nights) / 2

    def test_pickups_are_sorted_by_the_hour_but_for_those_of_other_months(self, taxi):
        hours = [row[taxi.pickup][:13] for row in rows_of(csv_of(taxi, "2020-10"))]
        hours = [hour for hour in hours if hour.startswith("2020-10")]
        assert hours == sorted(hours)
        assert {hour[8:10] for hour in hours} == {f"{day:02d}" for day in range(1, 32)}

    def test_a_few_zones_have_most_of_the_pickups(self, rows):
        pickups = Counter(row["PULocationID"] for row in rows)
        assert sum(count for _, count in pickups.most_common(20)) > 0.3 * len(rows)
        assert len(pickups) > 60
        assert all(1 <= int(zone) <= 265 for row in rows for zone in (row["PULocationID"], row["DOLocationID"]))

    def test_fares_grow_with_distance(self, rows):
        metered = [row for row in rows if row["RatecodeID"] == "1" and Decimal(row["fare_amount"]) > 0]
        short = [float(row["fare_amount"]) for row in metered if float(row["trip_distance"]) < 1]
        long = [float(row["fare_amount"]) for row in metered if 5 < float(row["trip_distance"]) < 50]
        assert sum(long) / len(long) > 3 * sum(short) / len(short)

    def test_only_cards_leave_tips_on_metered_trips(self, rows):
        tipping = {row["payment_type"] for row in rows if row["VendorID"] and Decimal(row["tip_amount"]) > 1}
        assert tipping == {"1"}

    def test_the_total_is_the_sum_of_its_parts(self, rows):
        parts = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge")
        for row in rows:
            within_extra = row["VendorID"] == "1"
            congestion = Decimal(0) if within_extra else Decimal(row["congestion_surcharge"] or 0)
            assert Decimal(row["total_amount"]) == sum(Decimal(row[part]) for part in parts) + congestion

    def test_airport_trips_have_their_rates(self):
        rows = rows_of(csv_of(get_taxi("yellow"), "2019-03"))
        jfk = [row for row in rows if row["RatecodeID"] == "2"]
        assert len(jfk) > 50
        assert all("132" in (row["PULocationID"], row["DOLocationID"]) for row in jfk)
        assert {abs(Decimal(row["fare_amount"])) for row in jfk} == {Decimal(52)}
        newark = [row for row in rows if row["RatecodeID"] == "3"]
        assert newark
        assert {row["DOLocationID"] for row in newark} == {"1"}
        assert any(row["tolls_amount"] == "5.76" for row in rows)

    def test_the_congestion_surcharge_began_in_february_2019(self, taxi):
        amount = {"green": "2.75", "yellow": "2.5"}[taxi.name]
        assert {row["congestion_surcharge"] for row in rows_of(csv_of(taxi, "2019-01"))} == {"", "0"}
        assert amount in {row["congestion_surcharge"] for row in rows_of(csv_of(taxi, "2019-02"))}

    @pytest.mark.parametrize(
        ("name", "month", "low", "high"),
        [
            ("yellow", "2019-03", 0.005, 0.02),
            ("yellow", "2020-10", 0.005, 0.02),
            ("green", "2020-06", 0.002, 0.03),
            ("green", "2020-10", 0.35, 0.45),
        ],
    )
    def test_as_many_rows_as_usual_come_without_a_meter(self, name, month, low, high):
        rows = rows_of(csv_of(get_taxi(name), month))
        unmetered = [row for row in rows if not row["VendorID"]]
        assert low < len(unmetered) / len(rows) < high
        empty = {"VendorID", "passenger_count", "RatecodeID", "store_and_fwd_flag", "payment_type", "trip_type"}
        for row in unmetered:
            assert {row[column] for column in empty & row.keys()} == {""}
            assert row["total_amount"]


class TestOddities:
    """What real files hold against all reason, and what a loader therefore has to survive."""

    def test_pickups_in_other_months_and_years(self, taxi):
        months = Counter(row[taxi.pickup][:7] for row in rows_of(csv_of(taxi, "2020-10")))
        assert months["2009-01"]
        assert {month for month in months if month > "2020-10"} | {month for month in months if month < "2020-10"}
        assert months["2020-10"] > 0.98 * months.total()

    def test_charge_and_refund(self, taxi, rows):
        positive = {(row[taxi.pickup], row[taxi.dropoff], row["fare_amount"], row["total_amount"]) for row in rows}
        refunds = [
            row
            for row in rows
            if (
                row[taxi.pickup],
                row[taxi.dropoff],
                row["fare_amount"].removeprefix("-"),
                row["total_amount"].removeprefix("-"),
            )
            in positive
            and row["fare_amount"].startswith("-")
        ]
        assert refunds
        assert {row["payment_type"] for row in refunds} <= {"3", "4"}
        assert all(row["improvement_surcharge"] == "-0.3" for row in refunds)

    def test_negative_fares_without_a_charge(self, rows):
        assert any(row["fare_amount"].startswith("-") and row["improvement_surcharge"] == "0.3" for row in rows)

    def test_huge_distances_of_rows_without_a_meter(self, rows):
        huge = [row for row in rows if Decimal(row["trip_distance"]) > 100_000]
        assert huge
        assert {row["VendorID"] for row in huge} == {""}

    def test_zero_distances(self, rows):
        assert any(row["trip_distance"] == ".00" for row in rows)

    def test_dropoffs_at_or_before_the_pickup(self, taxi):
        seconds = [seconds_of(taxi, row) for row in rows_of(csv_of(taxi, "2019-01", rows=12_000))]
        assert 0 in seconds
        assert min(seconds) < 0

    def test_trips_of_almost_a_day(self, taxi, rows):
        day = timedelta(days=1).total_seconds()
        assert any(day - 1800 <= seconds_of(taxi, row) < day for row in rows)

    def test_rows_that_are_wholly_identical(self, rows):
        lines = Counter(tuple(row.values()) for row in rows)
        assert any(count > 1 for count in lines.values())

    def test_rows_that_agree_in_their_identity_but_not_elsewhere(self, taxi, rows):
        lines = {tuple(row.values()): identity_of(taxi, row) for row in rows}
        assert any(count > 1 for count in Counter(lines.values()).values())

    def test_the_smallest_month_of_the_sample_holds_them_all(self, taxi):
        rows = rows_of(csv_of(taxi, "2020-04"))
        lines = {tuple(row.values()): identity_of(taxi, row) for row in rows}
        assert len(set(lines.values())) < len(lines) < len(rows)
        assert any(row[taxi.pickup] < "2010" for row in rows)
        assert any(Decimal(row["trip_distance"]) > 100_000 for row in rows)
        assert any(row["improvement_surcharge"] == "-0.3" for row in rows)


class TestColumnsWithoutAMeaning:
    """Columns of which the sample knows only what the definition says: kind, limits, and whether they may be empty."""

    @pytest.mark.parametrize(
        ("column", "form", "lowest", "highest"),
        [
            (Column("base", "text", "A code."), r"B\d{5}", None, None),
            (Column("Shared_Flag", "text", "A flag."), "[NY]", None, None),
            (Column("shared_flag", "integer", "A flag."), "[01]", None, None),
            (Column("doors", "integer", "A number.", minimum=Decimal(2), maximum=Decimal(5)), r"\d", 2, 5),
            (Column("year", "integer", "A number.", minimum=Decimal(1900)), r"\d{4}", 1900, 2000),
            (Column("fee", "decimal", "A fee."), AMOUNT, 0, 100),
            (Column("rebate", "decimal", "A fee.", maximum=Decimal("-0.5")), AMOUNT, -100.5, -0.5),
            (Column("asked_for", "timestamp", "A time."), TIMESTAMP, None, None),
        ],
        ids=lambda value: value.name if isinstance(value, Column) else "",
    )
    def test_they_are_filled_by_their_kind_within_their_limits(self, taxi, column, form, lowest, highest):
        for each in (column, replace(column, required=True)):
            values = [row[column.name] for row in rows_of(csv_of(with_column(taxi, each), "2020-10", rows=2000))]
            filled = [value for value in values if value]
            assert len(set(filled)) > 1
            assert [value for value in filled if not re.fullmatch(form, value)] == []
            if each.required:
                assert len(filled) == len(values)
            else:
                assert 0.8 < len(filled) / len(values) < 0.95
            if lowest is not None:
                assert all(lowest <= Decimal(value) <= highest for value in filled)

    def test_they_change_nothing_in_the_other_columns(self, taxi):
        column = Column("later_fee", "decimal", "A fee that came later.")
        rows = rows_of(csv_of(with_column(taxi, column), "2020-10", rows=1000))
        before = [tuple(row.values()) for row in rows_of(csv_of(taxi, "2020-10", rows=1000))]
        assert [tuple(value for name, value in row.items() if name != "later_fee") for row in rows] == before


class TestATaxiWithoutAmounts:
    """Columns of for-hire vehicles: other names, no fares, and fields that not every company fills."""

    @pytest.fixture
    def limousine(self) -> Taxi:
        return read_taxi("limousine", MADE_TAXI.read_text())

    @pytest.fixture
    def trips(self, limousine) -> list[Row]:
        return rows_of(csv_of(limousine, "2019-03", rows=4000))

    def test_what_columns_mean_does_not_depend_on_their_names(self, limousine, trips):
        zones = Counter(row["PUlocationID"] for row in trips)
        assert sum(count for _, count in zones.most_common(20)) > 0.3 * len(trips)
        assert all(1 <= int(zone) <= 265 for zone in zones if zone)
        hours = Counter(row["pickup_datetime"][11:13] for row in trips)
        assert hours["18"] > 4 * hours["04"]

    def test_it_has_the_oddities_that_need_no_amounts(self, limousine, trips):
        months = Counter(row["pickup_datetime"][:7] for row in trips)
        assert months["2009-01"]
        assert set(months) > {"2009-01", "2019-03"}
        seconds = [seconds_of(limousine, row) for row in trips if row["dropOff_datetime"]]
        assert min(seconds) < 0
        assert max(seconds) > 23 * 3600
        lines = Counter(tuple(row.values()) for row in trips)
        # The two at places 81 and 3281; nothing is repeated as a refund of nothing.
        assert sum(count - 1 for count in lines.values()) == 2
        identities = Counter(identity_of(limousine, row) for row in trips)
        assert len(identities) < len(lines)

    def test_fields_are_empty_where_they_may_be(self, trips):
        for name in trips[0]:
            share = sum(not row[name] for row in trips) / len(trips)
            assert share == 0 if name in ("dispatching_base_num", "pickup_datetime") else 0.02 < share < 0.15, name


class TestOrigin:
    def test_it_says_what_it_is(self):
        origin = SampleOrigin()
        assert (origin.name, origin.is_release, origin.is_remote) == ("sample", False, False)

    @pytest.mark.parametrize("name", list(all_taxis()))
    def test_it_makes_every_month_of_every_taxi(self, name, tmp_path):
        origin = SampleOrigin()
        for taxi, month in every_month():
            if taxi.name != name:
                continue
            target = tmp_path / "file"
            version = origin.fetch(trip_file(taxi, month), target, LOG)
            assert version == origin.version(trip_file(taxi, month))
            text = gzip.decompress(target.read_bytes())
            assert text.startswith(",".join(taxi.header).encode())
            assert text.count(b"\r\n") == sample_rows(taxi, month) + 1

    def test_its_size_follows_the_seasons_and_the_pandemic(self):
        yellow, green = get_taxi("yellow"), get_taxi("green")
        assert 11_000 < sample_rows(yellow, Month(2019, 3)) < 13_000
        assert 3_000 < sample_rows(green, Month(2019, 3)) < 4_500
        for taxi in (yellow, green):
            assert 500 < sample_rows(taxi, Month(2020, 4)) < sample_rows(taxi, Month(2019, 4)) / 3

    def test_versions_are_cheap_stable_and_distinct(self):
        files = [zones_file(), *(trip_file(taxi, month) for taxi, month in every_month())]
        versions = [SampleOrigin().version(file) for file in files]
        assert versions == [SampleOrigin().version(file) for file in files]
        assert len(set(versions)) == len(files)
        assert versions[0] == FileVersion(size=None, etag="sample-1/taxi_zone_lookup.csv")

    def test_the_zones_are_fetched_as_they_are_written(self, tmp_path):
        SampleOrigin().fetch(zones_file(), tmp_path / "zones", LOG)
        target = io.BytesIO()
        write_zones(target)
        assert (tmp_path / "zones").read_bytes() == target.getvalue()

    def test_fetching_logs_the_file_by_its_name(self, tmp_path, caplog):
        with caplog.at_level(logging.INFO):
            SampleOrigin().fetch(zones_file(), tmp_path / "zones", LOG)
        assert "taxi_zone_lookup.csv" in caplog.text

    @pytest.mark.parametrize(
        "path",
        [
            "green/green_tripdata_2018-12.csv.gz",
            "yellow/yellow_tripdata_2021-08.csv.gz",
            "purple/purple_tripdata_2020-10.csv.gz",
            "green/yellow_tripdata_2020-10.csv.gz",
            "misc/other.csv",
        ],
    )
    def test_it_refuses_files_that_it_does_not_make(self, path, tmp_path):
        file = RawFile(path, ("VendorID",))
        with pytest.raises(NotPublishedError, match=re.escape(path)) as refusal:
            SampleOrigin().version(file)
        assert "yellow from 2019-01 to 2021-07" in str(refusal.value)
        with pytest.raises(NotPublishedError):
            SampleOrigin().fetch(file, tmp_path / "file", LOG)
        assert not (tmp_path / "file").exists()


class TestZones:
    @pytest.fixture
    def zones(self) -> list[list[str]]:
        target = io.BytesIO()
        write_zones(target)
        header, *lines = target.getvalue().decode("ascii").removesuffix("\r\n").split("\r\n")
        assert header == '"LocationID","Borough","Zone","service_zone"'
        return [line.split(",") for line in lines]

    def test_there_are_265_numbered_from_one(self, zones):
        assert [int(zone[0]) for zone in zones] == list(range(1, 266))

    def test_every_text_is_quoted(self, zones):
        assert all(re.fullmatch(r'"[^"]+"', text) for zone in zones for text in zone[1:])

    def test_airports_and_unknown_zones_are_where_they_are(self, zones):
        known = {int(number): texts for number, *texts in zones}
        assert known[1] == ['"EWR"', '"Newark Airport"', '"EWR"']
        assert known[132] == ['"Queens"', '"JFK Airport"', '"Airports"']
        assert known[138] == ['"Queens"', '"LaGuardia Airport"', '"Airports"']
        assert [known[264][1], known[265][1]] == ['"Unknown"', '"Outside of NYC"']

    def test_the_five_boroughs_have_their_zones(self, zones):
        boroughs = Counter(zone[1].strip('"') for zone in zones)
        assert min(boroughs[name] for name in ("Manhattan", "Queens", "Brooklyn", "Bronx", "Staten Island")) > 20
        assert {zone[3].strip('"') for zone in zones} == {"Boro Zone", "Yellow Zone", "Airports", "EWR", "N/A"}
        assert {zone[1] for zone in zones if zone[3] == '"Yellow Zone"'} == {'"Manhattan"'}

    def test_names_are_unique(self, zones):
        assert len({zone[2] for zone in zones}) == len(zones)


@pytest.fixture(
    scope="module", params=[("green", "2020-10"), ("yellow", "2019-01"), ("yellow", "2020-02")], ids="-".join
)
def pair(request) -> tuple[Taxi, list[Row], list[Row]]:
    """A taxi, and a month's rows from the sample and from the real file."""
    name, month = request.param
    taxi = get_taxi(name)
    real = gzip.decompress((REAL_DATA / "source" / taxi.file_path(Month.parse(month))).read_bytes())
    return taxi, rows_of(csv_of(taxi, month)), rows_of(real)


@needs_real_data
class TestBesideRealFiles:
    """Whatever form a field or a row has in the sample, real files have it too."""

    def test_header_and_line_ends_are_the_same(self, pair):
        _, sample, real = pair
        assert list(sample[0]) == list(real[0])
        assert not any("\n" in value or "\r" in value for row in (sample[0], real[0]) for value in row.values())

    def test_fields_have_no_more_decimals_and_no_other_signs(self, pair):
        taxi, sample, real = pair
        for column in taxi.release_columns:
            values = [{row[column.name] for row in rows} for rows in (sample, real)]
            forms = [{re.sub(r"\d+", "9", value.removeprefix("-")) for value in each} for each in values]
            decimals = [max(len(value.partition(".")[2]) for value in each) for each in values]
            assert forms[0] <= forms[1] | {""}, column.name
            assert decimals[0] <= decimals[1], column.name

    def test_the_same_columns_are_empty_together(self, pair):
        _, sample, real = pair
        empty = [{tuple(name for name, value in row.items() if not value) for row in rows} for rows in (sample, real)]
        # In early 2019 every real row came from a meter; the sample has some without one in every month.
        unmetered = {columns for columns in empty[0] if "VendorID" in columns}
        assert empty[0] - unmetered <= empty[1]
        assert unmetered <= empty[1] or not any("VendorID" in columns for columns in empty[1])

    def test_typical_values_are_alike(self, pair):
        _, sample, real = pair

        def median(rows: list[Row], column: str) -> float:
            values = sorted(float(row[column]) for row in rows if row["VendorID"])
            return values[len(values) // 2]

        for column in ("trip_distance", "fare_amount", "total_amount"):
            assert median(sample, column) == pytest.approx(median(real, column), rel=0.35), column

    def test_the_zones_file_has_the_same_form(self):
        target = io.BytesIO()
        write_zones(target)
        real = (REAL_DATA / "source" / "misc" / "taxi_zone_lookup.csv").read_bytes()
        header, line_ends = real.partition(b"\r\n")[0], real.count(b"\r\n")
        assert target.getvalue().partition(b"\r\n")[0] == header
        assert target.getvalue().count(b"\r\n") == line_ends == real.count(b"\n")
