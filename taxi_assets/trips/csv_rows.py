"""The rows of a landed CSV, split into fields as strictly as RFC 4180 says, line by line and in bounded memory.

A row is a line: a quoted field that spans lines is refused, since no value of a trip or a zone has a line end. Each
line may end by LF or by CRLF, and blank lines are not rows.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from taxi_assets.source.plain import LONGEST_LINE
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.taxis import Column
from taxi_assets.trips.values import ORDINARY_TEXTS, fault_of, printable

_FIELD = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",]*+))(,|\Z)')
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_CARRIAGE_RETURN = "has a carriage return that is not part of its line end"
_UP_TO_SEPARATOR = re.compile(r"[^,]*")


class BrokenRowError(Exception):
    """A line that is not a row."""

    def __init__(self, cause: str, place: int | None = None, value: str = "") -> None:
        """Say what is wrong.

        Args:
            cause: What is wrong, as the end of a sentence.
            place: How many fields come before what is wrong; None if it is the line as a whole.
            value: The text that is wrong.
        """
        super().__init__(cause)
        self.cause, self.place, self.value = cause, place, value


def find_csv_problems(landed: LandedFile, columns: Sequence[Column]) -> Iterator[str]:
    """Yield each problem of the file as a phrase, in the order of its lines.

    Args:
        landed: The file.
        columns: Its columns, in its order.

    Raises:
        OSError, EOFError, zlib.error: The file can't be read or unpacked.
    """
    is_ordinary = re.compile(_pattern_of_ordinary_row(columns)).fullmatch
    for number, line in _lines(landed):
        if not is_ordinary(line):
            for problem in _problems_of_line(line, columns):
                yield f"line {number:,}{problem}"


def read_rows(landed: LandedFile) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line that is a row.

    Raises:
        BrokenRowError: A line is not a row.
        OSError, EOFError, zlib.error: The file can't be read or unpacked.
    """
    for number, line in _lines(landed):
        if fields := _fields(line):
            yield number, fields


def _lines(landed: LandedFile) -> Iterator[tuple[int, bytes]]:
    """Each line after the header with its number; of one that is too long, only the beginning."""
    with _opened(landed) as stream:
        number = 0
        # Two bytes more for the line end, and one to see that a line is too long.
        while line := stream.readline(LONGEST_LINE + 3):
            number += 1
            if number > 1:
                yield number, line
            while not line.endswith(b"\n") and (line := stream.readline(LONGEST_LINE)):
                pass


def _opened(landed: LandedFile) -> BinaryIO:
    if landed.path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(landed.path, "rb"))
    return landed.path.open("rb")


def _pattern_of_ordinary_row(columns: Sequence[Column]) -> bytes:
    texts = [ORDINARY_TEXTS[column.kind] for column in columns]
    fields = [f'(?>{text}|"{text}"|)' for text in texts]
    return (",".join(fields) + r"\r?\n?").encode()


def _problems_of_line(line: bytes, columns: Sequence[Column]) -> Iterator[str]:
    """What goes on after the line's number, for each problem."""
    try:
        fields = _fields(line)
    except BrokenRowError as broken:
        if broken.place is None or broken.place >= len(columns):
            yield f" {broken.cause}"
        else:
            yield f", column {columns[broken.place].name}: “{printable(broken.value)}” {broken.cause}"
        return
    if fields and len(fields) != len(columns):
        yield f" has {len(fields)} fields instead of {len(columns)}"
        return
    for column, text in zip(columns, fields, strict=False):
        if fault := fault_of(column, text):
            yield f", column {column.name}: “{printable(text)}” {fault}"


def _fields(line: bytes) -> list[str]:
    """The fields of a line with its line end; none of a blank one. A byte that is not UTF-8 becomes a lone surrogate.

    Raises:
        BrokenRowError: The line is not a row.
    """
    row = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(row) > LONGEST_LINE:
        raise BrokenRowError(f"is longer than {LONGEST_LINE:,} bytes")
    if row.endswith(b"\r"):
        raise BrokenRowError(_CARRIAGE_RETURN)
    if not row:
        return []
    text = row.decode("utf-8", "surrogateescape")
    fields: list[str] = []
    start = 0
    while True:
        field = _FIELD.match(text, start)
        if field is None:
            raise _broken_field(text, start, place=len(fields))
        quoted, unquoted, end = field.groups()
        if "\r" in field[0]:
            raise BrokenRowError(_CARRIAGE_RETURN, len(fields), field[0].removesuffix(","))
        fields.append(unquoted if quoted is None else quoted.replace('""', '"'))
        if not end:
            return fields
        start = field.end()


def _broken_field(text: str, start: int, *, place: int) -> BrokenRowError:
    quoted = _QUOTED.match(text, start)
    end = quoted.end() if quoted else start
    up_to_separator = _UP_TO_SEPARATOR.match(text, end)
    value = text[start : up_to_separator.end() if up_to_separator else None]
    if quoted:
        return BrokenRowError("has text after its closing quote", place, value)
    if value.startswith('"'):
        return BrokenRowError("has a quote that is not closed in its line", place, value)
    return BrokenRowError("has a quote without being quoted as a whole", place, value)
