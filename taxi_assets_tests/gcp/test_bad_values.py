"""A value that its column can't hold unchanged fails the month in BigQuery too, named by column. (Emulator tests.)"""

from __future__ import annotations

import dagster as dg
import pytest
from google.api_core.exceptions import BadRequest

from taxi_assets.source.raw_files import trip_file
from taxi_assets.sql import _environment
from taxi_assets.trips.columns import NOT_TEXT, ROUNDING_ERROR
from taxi_assets.trips.values import fault_of
from taxi_assets.warehouses import bigquery as cloud
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses.bigquery import statements
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.warehouse import _explain_refusal
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import GREEN, JANUARY, Project

TEXTS = {
    "integer": [
        "1",
        "-7",
        "1.0",
        "5.",
        "+5",
        "1e3",
        " 2 ",
        "2147483647",
        "-2147483648",
        "1.5",
        "2147483648",
        "-2147483649",
        "true",
        "abc",
        "1_000",
        "0x10",
        "nan",
        "inf",
        " ",
        "1e400",
        "1e-400",
        "0e5",
        "+-5",
        "\t5",
        "5\f",
        "5.0000000000000000001",
        "2147483647.0000000001",
        "0000000000000000000005",
        "1e1000000000000",
        "0e999",
        "0e1000",
        "5e0001",
    ],
    "decimal": [
        "0",
        "-0",
        ".79",
        "-83.5300",
        "5.",
        "1e-4",
        "9999999999.1234",
        "-0.5",
        "36.07",
        "12345678.9",
        "0.30000000000000004",
        "0.30000000001",
        "5.00001",
        "10000000000",
        "1e300",
        "1,5",
        "$5",
        "12x",
        "--1",
        "1e",
        ".",
        "nan",
        "-inf",
        "0x1p3",
        "+-5",
        "-5\t",
        "\v5",
        "1e-400",
        "-1e-5",
        "1e1000000000000",
        "0e999",
        "0e1000",
        "5e0001",
        "5.0000000000000000001",
        "5.00000000000000000000",
        "1234567890.12345",
        "1234567890.1235",
        "1234567890.1234001",
        "999999.10000000009",
        "1000000.1000000001",
        "9999999999.99999",
        "8.800000000000001",
        "8.80000000000001",
        "17.999999999999996",
        "98765.4321000001",
        "0.0000999999999999999",
        "0.00009999999999999999",
        "4.440892098500626e-16",
        "-0.30000000000000004e0",
    ],
    "timestamp": [
        "2019-01-02 03:04:05",
        "2001-12-31 23:59:59",
        "2020-02-29 00:00:00",
        "2019-02-30 00:00:00",
        "2019-01-02",
        "2019-01-02T03:04:05",
        "2019-01-02 03:04:05.5",
        "2019-01-02 25:00:00",
        "01/02/2019 03:04:05",
        "yesterday",
        "2019-1-2 03:04:05",
        "2019-01-02 03:04:60",
        "2019-01-02 03:04:05 UTC",
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "10000-01-01 00:00:00",
    ],
    "text": ["N", "é", "a b", "\u00a0", "Y\t", "\x7f", "\u0085", "a\nb"],
}
COLUMNS = {"integer": "VendorID", "decimal": "fare_amount", "timestamp": GREEN.pickup, "text": "store_and_fwd_flag"}

# What the monthly table's statement asks of one text, asked of many at once.
JUDGE = """
{% from "values.sql" import is_unchanged %}
SELECT `text`, COALESCE({{ is_unchanged(kind, "`text`", rounding_error, not_text) }}, FALSE)
FROM UNNEST([{% for text in texts %}{{ text | literal }}{{ ", " if not loop.last }}{% endfor %}]) AS `text`
"""


@pytest.mark.parametrize("kind", TEXTS)
def test_bigquery_takes_the_same_texts_for_values_as_duckdb(project: GcpProject, kind: str):
    texts = TEXTS[kind]
    query = (
        _environment(statements.__package__, DIALECT.quoting)
        .from_string(JUDGE)
        .render(kind=kind, texts=texts, rounding_error=ROUNDING_ERROR, not_text=NOT_TEXT)
    )
    column = GREEN.column(COLUMNS[kind])
    assert dict(project.query(query)) == {text: fault_of(column, text) is None for text in texts}


def test_a_bad_value_is_shown_with_line_and_column_and_nothing_changes(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 20))
    assert project.run(checks=False).success
    before = project.rows("green_tripdata_2019_01")
    trips = made_trips(GREEN, JANUARY, 20)
    trips[17]["fare_amount"] = "5.00001"
    project.put(trips)
    failure = project.run(checks=False).failure
    assert "line 19, column fare_amount: “5.00001” has more than four decimals" in failure
    assert "correct the file at its source" in failure
    assert project.rows("green_tripdata_2019_01") == before
    assert "green_tripdata_2019_01_staging" not in project.tables()
    # What the failed load left is cleared by the next good one.
    project.put(made_trips(GREEN, JANUARY, 21))
    assert project.changes(checks=False) == [(1, 0, 0)]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}


def test_bigquery_itself_names_column_and_value(project: GcpProject):
    trips = made_trips(GREEN, JANUARY, 5)
    trips[3]["PULocationID"] = "1.5; it's odd"
    put_csv(project.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    assert project.run(stages=("raw", "object", "external"), checks=False).success
    warehouse = project.bigquery()
    with (
        warehouse.get_client() as client,
        pytest.raises(BadRequest, match=r"no value of column PULocationID: “1\.5; it"),
    ):
        client.query(
            statements.render_statement(
                "create_month_table",
                warehouse.place,
                taxi=GREEN,
                month=JANUARY,
                header=GREEN.header,
                types={},
                filename=GREEN.csv_name(JANUARY),
                is_parquet=False,
                labels={},
            )
        ).result()


def test_a_row_with_a_field_too_few_is_shown_with_its_line(project: GcpProject):
    lines = csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, 20)).split(b"\r\n")
    lines[4] = lines[4].rpartition(b",")[0]
    put_csv(project.source, GREEN, JANUARY, b"\r\n".join(lines))
    assert "line 5 has 19 fields instead of 20" in project.run(checks=False).failure
    assert "green_tripdata" not in project.tables()


def test_zones_that_are_not_right_leave_the_good_ones(project: GcpProject):
    def load(zones: bytes) -> dg.ExecuteInProcessResult:
        path = project.source / "misc" / "taxi_zone_lookup.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zones)
        selection = dg.AssetSelection.assets(["raw", "taxi_zones"], ["bigquery", "taxi_zones"])
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=project.definitions().resolve_asset_graph())
        return job.execute_in_process(instance=project.instance, raise_on_error=False)

    lines = ['"LocationID","Borough","Zone","service_zone"', *(f'{number},"B","Z","S"' for number in range(1, 266)), ""]
    good = "\n".join(lines).encode()
    assert load(good).success
    before = project.query("SELECT * FROM taxi_zones ORDER BY LocationID")
    assert len(before) == 265
    for bad in (good.replace(b"\n5,", b"\n5.5,"), good[: good.index(b"\n101,") + 1]):
        assert not load(bad).success
        assert project.query("SELECT * FROM taxi_zones ORDER BY LocationID") == before


@pytest.mark.parametrize("ends", ["LF among CRLF", "LF header over CRLF", "blank lines at the end"])
def test_mixed_line_ends_load_the_same_rows_as_in_duckdb(project: GcpProject, ends: str):
    trips = made_trips(GREEN, JANUARY, 20)
    lines = csv_bytes(GREEN.header, trips).splitlines(keepends=True)
    if ends == "blank lines at the end":
        lines.append(b"\r\n\n")
    else:
        number = 0 if ends == "LF header over CRLF" else 7
        lines[number] = lines[number].replace(b"\r\n", b"\n")
    put_csv(project.source, GREEN, JANUARY, b"".join(lines))
    project.warehouses = [cloud.WAREHOUSE, embedded.WAREHOUSE]
    assert project.changes() == [(20, 0, 0)]
    ids = [row["unique_row_id"] for row in project.rows("green_tripdata")]
    project.kind = embedded.WAREHOUSE
    assert project.run(checks=False).success
    assert ids == [row["unique_row_id"] for row in Project.rows(project, "green_tripdata")]


def test_what_bigquery_can_t_read_is_told_with_the_file(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(stages=("raw",), checks=False).success
    with project.trip_source().current(trip_file(GREEN, JANUARY)).unchanged() as landed:
        error = _explain_refusal(GREEN, landed, "gs://bucket/file.csv.gz", BadRequest("It is not readable."))
    assert "BigQuery could not read gs://bucket/file.csv.gz into green_tripdata (It is not readable)" in str(error)
