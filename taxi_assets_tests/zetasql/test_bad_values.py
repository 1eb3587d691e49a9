"""By Google's own SQL engine, the monthly table's statement refuses exactly the values that DuckDB refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import _environment
from taxi_assets.taxis import Kind
from taxi_assets.trips.columns import NOT_TEXT, ROUNDING_ERROR
from taxi_assets.warehouses.bigquery import statements
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.raw_columns import raw_columns
from taxi_assets.warehouses.bigquery.statements import REFUSAL
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv
from taxi_assets_tests.feed.parquet_files import feed_table, put_feed, with_column
from taxi_assets_tests.gcp.test_bad_values import TEXTS
from taxi_assets_tests.project import GREEN, JANUARY
from taxi_assets_tests.test_diagnosis import FITTING_NUMBERS, REFUSED_TEXTS
from taxi_assets_tests.zetasql.months import cells, in_bigquery, in_duckdb, landed
from taxi_assets_tests.zetasql.running import ZetaSQL, ZetaSQLError

pytestmark = pytest.mark.xdist_group("zetasql")

COLUMNS = {
    "integer": "trip_type",
    "decimal": "fare_amount",
    "timestamp": "lpep_pickup_datetime",
    "text": "store_and_fwd_flag",
}
# One column of each kind, and all of them in the id.
TAXI = replace(
    GREEN,
    columns=tuple(column for column in GREEN.columns if column.name in (*COLUMNS.values(), "lpep_dropoff_datetime")),
    identity=tuple(COLUMNS.values()),
)

ALL_TEXTS: dict[Kind, list[str]] = {
    kind: [
        *dict.fromkeys(
            [
                *texts,
                *(FITTING_NUMBERS if kind in ("integer", "decimal") else []),
                *(text for column, text in REFUSED_TEXTS if GREEN.column(column).kind == kind),
            ]
        )
    ]
    for kind, texts in TEXTS.items()
}

FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_000_000
VALUES: list[tuple[Kind, pa.DataType, Sequence[Any]]] = [
    (
        "decimal",
        pa.float64(),
        [
            *[0.0, -0.0, 0.79, 36.07, -83.53, 0.1 + 0.2, 17.999999999999996, 9999999999.9999, 1234567890.1235, 1e10],
            *[1e-4, 1e-5, 5e-324, 1e300, float("nan"), float("inf"), float("-inf"), 98765.4321000001, 8.80000000000001],
            *[1234567890.12345, 100_000_000.12345, 999999.10000000009, 1000000.1000000001, 0.00009999999999999999],
        ],
    ),
    ("decimal", pa.float32(), [0.1, 0.5, 838860.8125, 16777216.0, 123456.79]),
    ("decimal", pa.int64(), [0, -5, 9_999_999_999, 10_000_000_000, -10_000_000_000, 2**63 - 1]),
    ("decimal", pa.decimal128(28, 9), ["0.0001", "-0.5", "0.00001", "9999999999.9999", "10000000000", "0.300000004"]),
    ("integer", pa.int64(), [0, -7, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1]),
    ("integer", pa.float64(), [1.0, -0.0, 1.5, 2147483647.0, 2147483648.0, 1e300, 5e-324, float("nan"), 1e6]),
    ("integer", pa.decimal128(28, 9), ["1", "1.5", "2147483647", "2147483648", "1.000000001"]),
    ("timestamp", pa.timestamp("us"), [0, -1_000_000, FIRST, LAST, 1, 500_000, -500_000, FIRST + 1, LAST + 999_999]),
    ("timestamp", pa.timestamp("ms"), [0, 1_500, -1_000]),
    ("timestamp", pa.timestamp("us", "America/New_York"), [0, 1_572_759_000_000_000, 1]),
    ("text", pa.string(), ["", " ", "N", "é", "N\0", "N\t", "\x7f", "\u0085", "\u00a0", "a\nb", "1e5"]),
]


# What the monthly table's statement asks of one value, asked of many at once.
JUDGE = """
{% from "values.sql" import is_unchanged, text_in_csv, text_in_parquet %}
SELECT IF(COALESCE({{ is_unchanged(kind, "`text`", rounding_error, not_text) }}, `text` IS NULL), 'taken', 'refused')
FROM (
    SELECT {{ text_in_csv("`value`") if type is none else text_in_parquet(kind, type, "`value`") }} AS `text`, `number`
    FROM `values`
)
ORDER BY `number`
"""


def judged(zetasql: ZetaSQL, kind: Kind, type_: str | None, values: pa.Array) -> Sequence[bool]:
    """Whether each value is taken from a Parquet file, where its column has that type, or from a CSV."""
    given = {"kind": kind, "type": type_, "rounding_error": ROUNDING_ERROR, "not_text": NOT_TEXT}
    query = _environment(statements.__package__, DIALECT.quoting).from_string(JUDGE).render(given)
    columns = {"value": type_ or "STRING", "number": "INT64"}
    rows = cells(pa.table({"value": values, "number": pa.array(range(len(values)))}))
    return [judgment == "taken" for (judgment,) in zetasql.evaluate(query, "values", columns, rows)]


def csv_with(folder: Path, kind: Kind, texts: Sequence[str]) -> LandedFile:
    """A file of as many trips with these texts in the column of a kind."""
    trips = [
        trip | {COLUMNS[kind]: f'"{text}"'}
        for trip, text in zip(made_trips(TAXI, JANUARY, len(texts)), texts, strict=True)
    ]
    return landed(put_csv(folder, TAXI, JANUARY, csv_bytes(TAXI.header, trips)), TAXI)


def parquet_with(folder: Path, kind: Kind, values: pa.Array) -> LandedFile:
    """The same, as a Parquet file."""
    table = with_column(feed_table(TAXI, JANUARY, len(values)), COLUMNS[kind], values)
    return landed(put_feed(folder, TAXI, JANUARY, table), TAXI)


def taken_by_duckdb(file: LandedFile) -> bool:
    """Whether DuckDB takes a file, or refuses it for a value of its."""
    try:
        in_duckdb(TAXI, JANUARY, file)
    except UnexpectedContentError:
        return False
    return True


@pytest.mark.parametrize("kind", ALL_TEXTS)
def test_a_text_of_a_csv_is_taken_or_refused_as_in_duckdb(zetasql: ZetaSQL, tmp_path: Path, kind: Kind):
    texts = ALL_TEXTS[kind]
    there = dict(zip(texts, judged(zetasql, kind, None, pa.array(texts)), strict=True))
    assert there == {text: taken_by_duckdb(csv_with(tmp_path, kind, [text])) for text in texts}
    taken = [text for text in texts if there[text]]
    assert 0 < len(taken) < len(texts)
    file = csv_with(tmp_path, kind, taken)
    assert in_bigquery(zetasql, TAXI, JANUARY, file) == in_duckdb(TAXI, JANUARY, file)


@pytest.mark.parametrize(("kind", "type_", "values"), VALUES, ids=[f"{kind} as {type_}" for kind, type_, _ in VALUES])
def test_a_value_of_a_parquet_file_is_taken_or_refused_as_in_duckdb(
    zetasql: ZetaSQL, tmp_path: Path, kind: Kind, type_: pa.DataType, values: Sequence[Any]
):
    array = pa.array(values).cast(type_)
    type_name = dict(raw_columns(TAXI, parquet_with(tmp_path, kind, array)))[COLUMNS[kind]]
    there = judged(zetasql, kind, type_name, array)
    here = [taken_by_duckdb(parquet_with(tmp_path, kind, array[n : n + 1])) for n in range(len(array))]
    assert list(zip(values, there, strict=True)) == list(zip(values, here, strict=True))
    assert set(there) == {True, False}
    file = parquet_with(tmp_path, kind, array.filter(pa.array(there)))
    assert in_bigquery(zetasql, TAXI, JANUARY, file) == in_duckdb(TAXI, JANUARY, file)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("integer", "1.5"), ("decimal", "1.5; it's “odd”"), ("timestamp", "2019-02-30 00:00:00"), ("text", "N\t")],
)
def test_a_refused_text_fails_the_statement_with_its_column(zetasql: ZetaSQL, tmp_path: Path, kind: Kind, text: str):
    with pytest.raises(ZetaSQLError, match=re.escape(f"{REFUSAL}{COLUMNS[kind]}: “{text}”")):
        in_bigquery(zetasql, TAXI, JANUARY, csv_with(tmp_path, kind, ["", text] if kind != "timestamp" else [text]))


def test_a_refused_value_of_a_parquet_file_fails_the_statement_with_its_column(zetasql: ZetaSQL, tmp_path: Path):
    file = parquet_with(tmp_path, "decimal", pa.array([None, 1e-5]))
    with pytest.raises(ZetaSQLError, match=re.escape(f"{REFUSAL}fare_amount: “1e-05”")):
        in_bigquery(zetasql, TAXI, JANUARY, file)
