"""The strict reader that judges loads knows right from wrong by itself: it shares no code with what it judges."""

from __future__ import annotations

import ast
import gzip
import struct
import zlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

import chaos.strict
from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import Reading, read_csv, read_csv_gz
from chaos.strict.trip_ids import trip_ids
from chaos.strict.values import meaning
from taxi_assets.taxis import all_taxis
from taxi_assets_tests.csv_files import csv_bytes, made_trips
from taxi_assets_tests.project import GREEN, JANUARY

TAXI = strict_taxi("green")
PLACES = {column.name: place for place, column in enumerate(TAXI.columns)}


def read(content: bytes) -> Reading:
    return read_csv(content, TAXI)


def sound(rows: int = 5) -> bytes:
    return csv_bytes(GREEN.header, made_trips(GREEN, JANUARY, rows))


def with_field(column: str, text: str) -> bytes:
    trips = made_trips(GREEN, JANUARY, 3)
    trips[1][column] = text
    return csv_bytes(GREEN.header, trips)


def test_it_imports_nothing_of_the_project():
    for path in Path(chaos.strict.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("taxi_assets")], path
            assert not [name for name in names if name.startswith("chaos") and not name.startswith("chaos.strict")], (
                path
            )


def test_it_knows_the_columns_of_every_taxi():
    for taxi in all_taxis().values():
        strict = strict_taxi(taxi.name)
        assert [(c.name, c.kind, c.is_in_release) for c in strict.columns] == [
            (c.name, c.kind, not c.only_in_feed) for c in taxi.columns
        ]
        assert strict.identity == taxi.identity


def test_a_sound_file_has_each_field_as_its_value():
    reading = read(sound())
    assert reading.is_sound
    assert reading.rows is not None
    assert len(reading.rows) == 5
    assert reading.rows[1][PLACES["lpep_pickup_datetime"]] == datetime(2019, 1, 1, 0, 1)  # noqa: DTZ001
    assert reading.rows[1][PLACES["trip_distance"]] == Decimal("0.11")
    assert reading.rows[1][PLACES["PULocationID"]] == 2
    assert reading.rows[1][PLACES["cbd_congestion_fee"]] is None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "5", 5),
        ("integer", "5.0", 5),
        ("integer", "-2147483648", -(2**31)),
        ("decimal", ".79", Decimal("0.79")),
        ("decimal", "9999999999.9999", Decimal("9999999999.9999")),
        ("decimal", "12.30000", Decimal("12.3")),
        ("timestamp", "2020-02-29 23:59:59", datetime(2020, 2, 29, 23, 59, 59)),  # noqa: DTZ001
        ("timestamp", "0001-01-01 00:00:00", datetime(1, 1, 1)),  # noqa: DTZ001
        ("text", "N", "N"),
        ("text", "", None),
    ],
)
def test_a_documented_spelling_must_be_loaded_as_its_value(kind: str, text: str, value: object):
    found = meaning(kind, text)
    assert (found.value, found.fault, found.must_refuse) == (value, "", False)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("decimal", "0.30000000000000004", Decimal("0.3")),
        ("decimal", "17.799999999999997", Decimal("17.8")),
        ("decimal", "1e2", 100),
        ("integer", "+5", 5),
        ("integer", " 5 ", 5),
        ("timestamp", " 2019-01-15 10:00:00", datetime(2019, 1, 15, 10)),  # noqa: DTZ001
        ("text", "\x01", "\x01"),
    ],
)
def test_an_unambiguous_spelling_may_be_loaded_or_refused(kind: str, text: str, value: object):
    found = meaning(kind, text)
    assert found.fault
    assert (found.value, found.must_refuse) == (value, False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *[("decimal", text) for text in ("1234567890.12345", "100000000.00001", "0.00001", "10000000000", "1e-400")],
        *[
            ("decimal", text)
            for text in ("+-5", "5\t", "\t5", "5\x0c", "1_000", "1,5", "inf", "nan", "0x10", "1e1000000000000")
        ],
        *[("integer", text) for text in ("5.5", "2147483648", "5.0000000000000000001", "１", "1e400", "5\u00a0")],  # noqa: RUF001
        *[
            ("timestamp", text)
            for text in ("2019-02-29 10:00:00", "2019-01-15 24:00:00", "2019-01-15", "0000-01-01 00:00:00")
        ],
        *[("timestamp", text) for text in ("2019-01-15T10:00:00", "2019-01-15 10:00:00.5", "infinity")],
        *[("text", text) for text in ("N\0", "\udcff")],
    ],
)
def test_what_has_no_value_must_be_refused(kind: str, text: str):
    assert meaning(kind, text).must_refuse


def test_a_fault_is_told_with_its_line_and_column():
    (place,) = read(with_field("fare_amount", "5.12345")).places
    assert (place.numbers, place.column) == ({3}, "fare_amount")
    assert read(with_field("fare_amount", "5.12345")).must_refuse


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_either_line_end_is_sound_and_the_last_one_may_be_missing(end: str, last: str):
    text = sound().decode().replace("\r\n", end).rstrip() + (end if last else "")
    assert read(text.encode()).is_sound


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\r\n", b"\n"), (b"\r\n", b"\r\r\n"), (b"\r\n", b"\r\n\n")],
)
def test_mixed_line_ends_may_be_loaded_exactly_or_refused_with_their_line(old: bytes, new: bytes):
    lines = sound().split(old)
    reading = read(old.join(lines[:3]) + new + old.join(lines[3:]))
    assert reading.rows == read(sound()).rows
    assert {3, 4} & set().union(*(place.numbers for place in reading.places))


@pytest.mark.parametrize("text", ['"N"x', '"N" ', ' "N"', '"N', "a\rb"])
def test_what_stands_beside_quotes_and_lone_carriage_returns_must_be_refused(text: str):
    reading = read(with_field("store_and_fwd_flag", text))
    assert reading.must_refuse
    assert 3 in set().union(*(place.numbers for place in reading.places))


def test_a_quoted_field_is_its_text():
    reading = read(with_field("store_and_fwd_flag", '"N,""Y"""'))
    assert reading.rows is not None
    assert reading.rows[1][PLACES["store_and_fwd_flag"]] == 'N,"Y"'


@pytest.mark.parametrize("change", [lambda row: [*row, ""], lambda row: row[:-1]])
def test_a_row_with_too_many_or_too_few_fields_must_be_refused(change):
    header, *rows = sound().decode().split("\r\n")
    rows[2] = ",".join(change(rows[2].split(",")))
    reading = read("\r\n".join([header, *rows]).encode())
    assert reading.must_refuse
    assert {4} <= set().union(*(place.numbers for place in reading.places))


def test_header_with_other_columns_must_be_refused():
    assert read(sound().replace(b"VendorID", b"vendor", 1)).must_refuse
    assert read(sound().replace(b"VendorID", b"VENDORID", 1)).is_sound


def member(content: bytes, flags: int = 0, extra: bytes = b"") -> bytes:
    raw = zlib.compressobj(1, zlib.DEFLATED, -15)
    trailer = struct.pack("<II", zlib.crc32(content), len(content))
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + extra + raw.compress(content) + raw.flush() + trailer


def test_gzip_is_read_by_its_specification():
    content = sound()
    assert read_csv_gz(gzip.compress(content), TAXI).is_sound
    assert read_csv_gz(gzip.compress(content[:50]) + gzip.compress(content[50:]), TAXI).is_sound
    assert read_csv_gz(member(content, 8, b"name\0"), TAXI).is_sound
    odd = read_csv_gz(member(content, 16, b"comment\0"), TAXI)
    assert odd.whole
    assert not odd.must_refuse


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"more",
        lambda data: data[:-8] + bytes(8),
        lambda data: data[:3] + b"\xe0" + data[4:],
        lambda data: b"",
        lambda data: b"<html>",
    ],
)
def test_what_is_no_whole_gzip_must_be_refused(damage):
    assert read_csv_gz(damage(gzip.compress(sound())), TAXI).must_refuse


def test_ids_are_those_that_the_documentation_states():
    trip = dict.fromkeys(GREEN.header, "") | {
        "VendorID": "2",
        "lpep_pickup_datetime": "2020-10-01 00:31:19",
        "lpep_dropoff_datetime": "2020-10-01 00:34:55",
        "PULocationID": "7",
        "DOLocationID": "7",
        "fare_amount": "5",
        "trip_distance": ".79",
    }
    rows = read(csv_bytes(GREEN.header, [trip, trip])).rows
    assert rows is not None
    first, second = trip_ids(rows, TAXI)
    assert first == "bb93121817ed888931df19c1fc37dee8"
    assert second != first
