"""What a raw CSV holds: its rows as exact values, or why it must or may be refused, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.strict.columns import StrictColumn, StrictTaxi
from chaos.strict.gzip_members import NotGzipError, unpack
from chaos.strict.records import Record, records
from chaos.strict.values import Value, meaning

Row = tuple[Value, ...]

LONGEST_LINE = 32 * 1024
"""A line beyond it may be refused: readers have limits, and published lines have some 120 bytes."""


@dataclass(frozen=True)
class Place:
    """Where something is wrong.

    Attributes:
        what: What is wrong.
        numbers: Numbers of the lines of a CSV, or of the rows of a Parquet file, that a message may name.
        column: Name of the column, where it is about one.
        must_refuse: Whether it has no single meaning.
    """

    what: str
    numbers: frozenset[int]
    column: str | None = None
    must_refuse: bool = False


@dataclass(frozen=True)
class Reading:
    """What a file holds.

    Attributes:
        rows: Its rows in the order of the taxi's columns; None where it must be refused.
        whole: Faults of the file as a whole.
        places: Faults with a place.
        empty_text_is_null: False where an empty text in quotes makes both null and empty text right.
    """

    rows: Sequence[Row] | None
    whole: Sequence[str] = ()
    places: Sequence[Place] = ()
    empty_text_is_null: bool = True

    @property
    def is_sound(self) -> bool:
        """Whether it must be loaded."""
        return self.rows is not None and not self.whole and not self.places

    @property
    def must_refuse(self) -> bool:
        """Whether it must not be loaded."""
        return self.rows is None


@dataclass
class _Findings:
    whole: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    must_refuse: bool = False
    has_empty_quotes: bool = False

    def refuse_whole(self, what: str) -> None:
        self.whole.append(what)
        self.must_refuse = True

    def note(self, what: str, record: Record, column: str | None, *, must_refuse: bool) -> None:
        self.places.append(Place(what, record.lines, column, must_refuse))
        self.must_refuse = self.must_refuse or must_refuse

    def reading(self, rows: Sequence[Row]) -> Reading:
        return Reading(
            None if self.must_refuse else rows, self.whole, self.places, empty_text_is_null=not self.has_empty_quotes
        )


def read_csv_gz(data: bytes, taxi: StrictTaxi) -> Reading:
    """What a gzip-compressed CSV of the release holds."""
    findings = _Findings()
    try:
        unpacked = unpack(data)
    except NotGzipError as error:
        findings.refuse_whole(str(error))
        return findings.reading([])
    findings.whole += unpacked.oddities
    return _read(unpacked.content, taxi, findings)


def read_csv(content: bytes, taxi: StrictTaxi) -> Reading:
    """What a CSV holds."""
    return _read(content, taxi, _Findings())


def _read(content: bytes, taxi: StrictTaxi, findings: _Findings) -> Reading:
    text = content.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    lines = iter(records(text))
    header = next(lines, None)
    columns = _columns(header, taxi, findings) if header else None
    if header is None or columns is None:
        findings.refuse_whole("no header of the taxi's columns")
        return findings.reading([])
    rows = []
    for record in lines:
        if record.is_blank:
            if record.end != header.end:
                findings.note("is a blank line with another end than the header", record, None, must_refuse=False)
            continue
        if record.end and record.end != header.end:
            findings.note("has another line end than the header", record, None, must_refuse=False)
        _note_structure(record, columns, findings)
        if len(record.fields) != len(columns):
            findings.note(f"has {len(record.fields)} fields", record, None, must_refuse=True)
            continue
        rows.append(_row(record, columns, taxi, findings))
    if not rows and not findings.must_refuse:
        findings.refuse_whole("no rows")
    return findings.reading(rows)


def _columns(header: Record, taxi: StrictTaxi, findings: _Findings) -> Sequence[StrictColumn] | None:
    """The columns in the order of the file, or None where they are not the taxi's."""
    names = [name.strip().lower() for name in header.fields]
    by_name = {column.name.lower(): column for column in taxi.release_columns}
    if header.errors or sorted(names) != sorted(by_name):
        return None
    if any(name.strip() != name for name in header.fields) or header.oddities:
        findings.whole.append("a header that is written unusually")
    return [by_name[name] for name in names]


def _note_structure(record: Record, columns: Sequence[StrictColumn], findings: _Findings) -> None:
    for found, must_refuse in ((record.errors, True), (record.oddities, False)):
        for what, number in found:
            is_known = number is not None and number < len(columns)
            column = columns[number].name if is_known and number is not None else None
            findings.note(what, record, column, must_refuse=must_refuse)
    if sum(map(len, record.fields)) > LONGEST_LINE:
        findings.note("is very long", record, None, must_refuse=False)


def _row(record: Record, columns: Sequence[StrictColumn], taxi: StrictTaxi, findings: _Findings) -> Row:
    values: dict[str, Value] = {}
    for number, (column, text) in enumerate(zip(columns, record.fields, strict=True)):
        found = meaning(column.kind, text)
        values[column.name] = found.value
        if found.fault:
            findings.note(found.fault, record, column.name, must_refuse=found.must_refuse)
        if text == "" and number in record.quoted:
            findings.has_empty_quotes = True
            findings.note("is empty in quotes", record, column.name, must_refuse=False)
    return tuple(values.get(column.name) for column in taxi.columns)
