"""Malformed Parquet: sound months written in many ways, with one fault each, chosen by a seeded random generator."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chaos.strict.columns import StrictTaxi
from chaos.strict.csv_files import Row

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - New York's local time, without a zone
_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_COMPRESSIONS = ("snappy", "snappy", "zstd", "gzip", "none", "lz4", "brotli")


@dataclass(frozen=True)
class ParquetFault:
    """A malformed file.

    Attributes:
        kind: What is wrong with it.
        data: Its bytes.
        is_damaged: Whether bytes were changed after it was written.
        sound_rows: Its rows before that, where they are the truth about it.
    """

    kind: str
    data: bytes
    is_damaged: bool = False
    sound_rows: Sequence[Row] | None = None


@dataclass
class ParquetText:
    """A month as columns that can be bent, and how they are written.

    Attributes:
        names: Names of the columns.
        columns: Their values.
        options: Options of the writer.
    """

    names: list[str]
    columns: list[pa.Array]
    options: dict[str, Any]

    def encoded(self) -> bytes:
        """The file's bytes."""
        made = io.BytesIO()
        # Two columns may have the same name.
        table = pa.Table.from_arrays(self.columns, schema=pa.schema(list(zip(self.names, self._types(), strict=True))))
        pq.write_table(table, made, **self.options)
        return made.getvalue()

    def _types(self) -> list[pa.DataType]:
        return [column.type for column in self.columns]


def mutated_parquet(rows: Sequence[Row], taxi: StrictTaxi, choice: random.Random) -> ParquetFault:
    """Write a month and put one fault into it, or none."""
    text = _written(rows, taxi, choice)
    kind = choice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if kind in _MUTATIONS:
        _MUTATIONS[kind](text, taxi, choice)
        return ParquetFault(kind, _encoded(text))
    data = _encoded(text)
    if kind in _BYTE_MUTATIONS:
        has_checksums = " (pages with checksums)" if text.options["write_page_checksum"] else ""
        return ParquetFault(
            f"{kind}{has_checksums}", _BYTE_MUTATIONS[kind](data, choice), is_damaged=True, sound_rows=rows
        )
    return ParquetFault(kind, data)


def _written(rows: Sequence[Row], taxi: StrictTaxi, choice: random.Random) -> ParquetText:
    """The month's columns with types as the feed has them in one year or another."""
    has_feed_columns = choice.random() < 0.8
    names, columns = [], []
    whole = choice.choice((pa.int64(), pa.int32(), pa.float64()))
    for place, column in enumerate(taxi.columns):
        if not column.is_in_release and not has_feed_columns:
            continue
        names.append(column.name)
        values: list[Any] = [row[place] for row in rows]
        match column.kind:
            case "integer":
                columns.append(pa.array(values, choice.choice((whole, pa.int64()))))
            case "decimal":
                columns.append(pa.array([None if v is None else float(v) for v in values], pa.float64()))
            case "timestamp":
                columns.append(pa.array(values, pa.timestamp(choice.choice(("us", "us", "us", "ns", "ms")))))
            case _:
                columns.append(pa.array(values, choice.choice((pa.string(), pa.large_string()))))
    options = {
        "compression": choice.choice(_COMPRESSIONS),
        "row_group_size": choice.choice((len(rows), len(rows), 7, 50)),
        "data_page_version": choice.choice(("1.0", "1.0", "2.0")),
        "use_dictionary": choice.choice((True, True, False)),
        "write_page_checksum": choice.choice((True, False)),
        "write_statistics": choice.choice((True, True, False)),
        "version": choice.choice(("2.6", "2.6", "2.4", "1.0")),
        "data_page_size": choice.choice((1024 * 1024, 64)),
        "store_schema": choice.choice((True, True, False)),
        "write_page_index": choice.choice((False, False, True)),
    }
    return ParquetText(names, columns, options)


def _encoded(text: ParquetText) -> bytes:
    try:
        return text.encoded()
    except (pa.ArrowException, OSError):
        # Some types can't be written in old versions of the format.
        text.options |= {"version": "2.6", "use_dictionary": True, "write_statistics": False, "write_page_index": False}
        return text.encoded()


def _column(text: ParquetText, taxi: StrictTaxi, choice: random.Random, *kinds: str) -> int:
    """Place of a column of one of these kinds."""
    by_name = {column.name: column for column in taxi.columns}
    places = [
        place for place, name in enumerate(text.names) if name in by_name and (not kinds or by_name[name].kind in kinds)
    ]
    return choice.choice(places)


def _with_value(column: pa.Array, type_: pa.DataType, value: Any, choice: random.Random) -> pa.Array:
    values = column.cast(type_).to_pylist()
    for row in {choice.randrange(len(values)) for _ in range(choice.choice((1, 1, 1, 3)))}:
        values[row] = value
    return pa.array(values, type_)


def _odd_number(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    place = _column(text, taxi, choice, "integer", "decimal")
    odd: Sequence[tuple[pa.DataType, Sequence[Any]]] = (
        (pa.float64(), (float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 1e10, 9999999999.9999, 1e-300)),
        (pa.float64(), (5e-324, 0.12345, 1234567890.12345, 100000000.00001, 0.1 + 0.2, 1.1 + 2.2, 0.00005, 2.5, -0.0)),
        (pa.float64(), (2147483647.0, 2147483648.0, -2147483649.0, 17.799999999999997, 5.0000000001, 0.00001)),
        (pa.int64(), (2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 10**10, 10**9, 10**14)),
        (pa.uint64(), (2**64 - 1, 2**63, 2**31, 7)),
        (pa.float32(), (0.1, 0.25, 1e10, float("nan"), 16777217.0, 33.3)),
        (pa.float16(), (0.25, 0.5, 3.0)),
        (pa.decimal128(20, 6), ("0.123456", "1.500000", "99999999999.0", "-5.0001")),
        (pa.decimal128(38, 0), (str(10**37), "5")),
        (pa.decimal256(50, 10), ("0.0001000001", "7.2500000000")),
    )
    type_, values = choice.choice(odd)
    value: Any = choice.choice(values)
    if pa.types.is_decimal(type_):
        from decimal import Decimal  # noqa: PLC0415

        value = Decimal(value)
    column = text.columns[place]
    try:
        text.columns[place] = _with_value(column, type_, value, choice)
    except (pa.ArrowException, OverflowError, ValueError):
        # The column's own values don't fit into the type: it has few of them.
        small = [None if number % 3 else value for number in range(len(column))]
        text.columns[place] = pa.array(small, type_)


def _odd_timestamp(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    place = _column(text, taxi, choice, "timestamp")
    unit = choice.choice(("us", "us", "ns", "ms", "s"))
    per_second = _PER_SECOND[unit]
    values = [-(2**63), 2**63 - 1, -(2**63) + 1, -1, 0, 1, per_second // 2, 1_546_300_800 * per_second + 1]
    values += [second * per_second for second in (_YEAR_1, _YEAR_1 - 1, _YEAR_9999, _YEAR_9999 + 1, 0, -86_400)]
    # Seconds are written as thousandths.
    limit = 2**63 // (1000 if unit == "s" else 1)
    value = choice.choice([each for each in values if -limit <= each < limit])
    seconds = [
        int((moment - _EPOCH).total_seconds()) for moment in text.columns[place].cast(pa.timestamp("us")).to_pylist()
    ]
    counts: list[int | None] = [second * per_second for second in seconds]
    for _ in range(choice.choice((1, 1, 3))):
        counts[choice.randrange(len(counts))] = value
    # INT96, the old way to write them, holds nanoseconds.
    text.options["use_deprecated_int96_timestamps"] = unit == "ns" and choice.random() < 0.2
    text.columns[place] = pa.array(counts, pa.int64()).cast(pa.timestamp(unit))


def _odd_text(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    place = _column(text, taxi, choice, "text")
    odd = (
        b"",
        b" ",
        b"\xff",
        b"N\x00",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        "é".encode(),
        "🚕".encode(),
        b"a" * 100_000,
        b"\x01",
    )
    values = [None if v is None else v.encode() for v in text.columns[place].cast(pa.string()).to_pylist()]
    for _ in range(choice.choice((1, 1, 3))):
        values[choice.randrange(len(values))] = choice.choice(odd)
    binary = pa.array(values, pa.binary())
    # Arrow takes the bytes as they are, as a writer does that does not look at them.
    text.columns[place] = pa.Array.from_buffers(pa.string(), len(binary), binary.buffers(), binary.null_count)


def _other_type(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    place = _column(text, taxi, choice)
    count = len(text.columns[place])
    moment = datetime(2019, 1, 15, 10)  # noqa: DTZ001
    made: Sequence[Callable[[], pa.Array]] = (
        lambda: pa.array(["5"] * count),
        lambda: pa.array([True] * count),
        lambda: pa.array([b"5"] * count, pa.binary()),
        lambda: pa.array([b"12345678"] * count, pa.binary(8)),
        lambda: pa.array([moment.date()] * count, pa.date32()),
        lambda: pa.array([moment] * count, pa.timestamp("us", tz="UTC")),
        lambda: pa.array([moment] * count, pa.timestamp("us", tz="America/New_York")),
        lambda: pa.array([1_547_546_400] * count, pa.int64()),
        lambda: pa.array([36_000_000_000] * count, pa.time64("us")),
        lambda: pa.array([[5]] * count),
        lambda: pa.array([{"a": 5}] * count),
        lambda: pa.array([[("k", 5)]] * count, pa.map_(pa.string(), pa.int64())),
        lambda: pa.nulls(count),
        lambda: pa.array([5] * count, pa.int8()),
        lambda: pa.array([5] * count, pa.uint16()),
        lambda: pa.array(["N"] * count).dictionary_encode(),
        lambda: pa.array([5.25] * count, pa.float64()).cast(pa.decimal128(10, 2)),
        lambda: pa.array([1.5] * count, pa.float32()),
        lambda: pa.array([3] * count, pa.duration("s")),
    )
    text.columns[place] = choice.choice(made)()


def _columns_changed(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    place = _column(text, taxi, choice)
    name, count = text.names[place], len(text.columns[0])
    match choice.randrange(9):
        case 0:
            del text.names[place], text.columns[place]
        case 1:
            text.names[place] = choice.choice((f"{name}x", f" {name}", name[:-1], f"{name}\u00a0", ""))
        case 2:
            text.names = [choice.choice((each.upper(), each.lower(), each)) for each in text.names]
        case 3:
            order = choice.sample(range(len(text.names)), len(text.names))
            text.names = [text.names[number] for number in order]
            text.columns = [text.columns[number] for number in order]
        case 4:
            text.names.append(choice.choice((name, name.upper(), name.lower())))
            text.columns.append(text.columns[place])
        case 5:
            text.names.append(
                choice.choice(("new_fee", "tip.extra", "a.b.c", "é", "new fee", 'a"b', "a'b", "file_row_number"))
            )
            text.columns.append(pa.array([0.5] * count))
        case 6:
            text.names.append("nested")
            text.columns.append(pa.array([{"a": 1, "b": [1, 2]}] * count))
        case 7:
            text.columns = [column.slice(0, 0) for column in text.columns]
        case _:
            text.names.append(choice.choice(("unique_row_id", "filename", "file_month", "rowid", "is_unchanged")))
            text.columns.append(pa.array(["x"] * count))


def _sound(text: ParquetText, taxi: StrictTaxi, choice: random.Random) -> None:
    """Nothing wrong: the writer's options alone vary."""


def _flipped(data: bytes, first: int, last: int, choice: random.Random) -> bytes:
    bent = bytearray(data)
    for _ in range(choice.choice((1, 1, 1, 2, 4))):
        bent[choice.randrange(first, max(last, first + 1))] ^= 1 << choice.randrange(8)
    return bytes(bent)


def _footer_start(data: bytes) -> int:
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def _pages_flipped(data: bytes, choice: random.Random) -> bytes:
    return _flipped(data, 4, _footer_start(data), choice)


def _footer_flipped(data: bytes, choice: random.Random) -> bytes:
    return _flipped(data, _footer_start(data), len(data) - 8, choice)


def _ends_flipped(data: bytes, choice: random.Random) -> bytes:
    first = choice.choice((0, len(data) - 8))
    return _flipped(data, first, first + choice.choice((4, 8)), choice)


def _bytes_overwritten(data: bytes, choice: random.Random) -> bytes:
    length = choice.choice((1, 4, 16, 100, 512))
    place = choice.randrange(4, len(data) - 8)
    filled = choice.choice((bytes(length), b"\xff" * length, choice.randbytes(length)))
    return (data[:place] + filled + data[place + length :])[: len(data)]


def _bytes_moved(data: bytes, choice: random.Random) -> bytes:
    place, length = choice.randrange(4, len(data) - 8), choice.choice((1, 2, 8, 100))
    if choice.random() < 0.5:
        return data[:place] + data[place + length :]
    return data[:place] + choice.randbytes(length) + data[place:]


def _cut(data: bytes, choice: random.Random) -> bytes:
    length = choice.choice((0, 3, 8, 12, len(data) - 1, len(data) - 4, choice.randrange(len(data))))
    return data[:length] + choice.choice((b"", b"", b"PAR1"))


def _names_not_utf8(data: bytes, choice: random.Random) -> bytes:
    start = _footer_start(data)
    names = [
        name
        for name in (b"VendorID", b"RatecodeID", b"fare_amount", b"extra", b"trip_distance", b"mta_tax")
        if name in data[start:]
    ]
    if not names:
        return data
    name = choice.choice(names)
    bent = bytearray(name)
    bent[choice.randrange(len(bent))] = choice.choice((0xFF, 0x80, 0xC3, 0x00))
    return data[:start] + data[start:].replace(name, bytes(bent), choice.choice((1, -1)))


def _something_else(data: bytes, choice: random.Random) -> bytes:
    other = (b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"<!doctype html><p>no</p>")
    more = (b"PAR1" + data[4:-4] + b"PARE", b"PARE" + data[4:-4] + b"PARE", b"\x1f\x8b\x08" + data, b"a,b\n1,2\n")
    return choice.choice((*other, *more, data + data, data[: len(data) // 2] * 2))


_MUTATIONS: dict[str, Callable[[ParquetText, StrictTaxi, random.Random], None]] = {
    "odd number": _odd_number,
    "odd timestamp": _odd_timestamp,
    "odd text": _odd_text,
    "column of another type": _other_type,
    "columns changed": _columns_changed,
    "none": _sound,
}
_BYTE_MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits of pages flipped": _pages_flipped,
    "bits of the footer flipped": _footer_flipped,
    "bits of both ends flipped": _ends_flipped,
    "bytes overwritten": _bytes_overwritten,
    "bytes added or removed": _bytes_moved,
    "cut off": _cut,
    "names that are not UTF-8": _names_not_utf8,
    "something else": _something_else,
}
_WEIGHTS: dict[str, int] = {
    "odd number": 14,
    "odd timestamp": 12,
    "odd text": 6,
    "column of another type": 10,
    "columns changed": 12,
    "none": 4,
    "bits of pages flipped": 22,
    "bits of the footer flipped": 22,
    "bits of both ends flipped": 2,
    "bytes overwritten": 8,
    "bytes added or removed": 4,
    "cut off": 4,
    "names that are not UTF-8": 4,
    "something else": 3,
}
