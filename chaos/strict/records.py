"""Splits the text of a CSV into records and fields by RFC 4180, and notes where it departs from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Record:
    r"""One record of a CSV.

    Attributes:
        lines: Numbers of the lines that it spans, counted by LF, and counted by LF, CR and CRLF alike.
        fields: The text of its fields, without the quotes around them.
        quoted: Places of the fields that are in quotes.
        end: The line end: ``\\n``, ``\\r\\n``, another run of ``\\r`` before it, or nothing at the end of the file.
        oddities: What may be refused about it: a phrase, and the field's place where it is about one.
        errors: What must be refused about it, likewise.
    """

    lines: frozenset[int]
    fields: list[str] = field(default_factory=list)
    quoted: set[int] = field(default_factory=set)
    end: str = ""
    oddities: list[tuple[str, int | None]] = field(default_factory=list)
    errors: list[tuple[str, int | None]] = field(default_factory=list)

    @property
    def is_blank(self) -> bool:
        """Whether it is an empty line."""
        return self.fields == [""] and not self.quoted


def records(text: str) -> Iterator[Record]:
    """Yield each record, blank ones too."""
    reader = _Reader(text)
    while reader.place < len(text):
        yield reader.record()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.place = 0
        self._lines = (1, 1)

    def record(self) -> Record:
        start, first = self.place, self._lines
        record = Record(frozenset())
        while True:
            self._field(record)
            if self.place < len(self._text) and self._text[self.place] == ",":
                self.place += 1
                continue
            break
        record.end = self._line_end()
        whole = self._text[start : self.place]
        inner = whole.removesuffix(record.end) if record.end else whole
        last = (first[0] + inner.count("\n"), first[1] + _line_ends(inner))
        # A program may name the first line of a record, its last one, or one in between.
        record.lines = frozenset(range(first[0], last[0] + 1)) | frozenset(range(first[1], last[1] + 1))
        self._lines = (first[0] + whole.count("\n"), first[1] + _line_ends(whole))
        if record.end not in ("\n", "\r\n", ""):
            record.oddities.append(("ends with more than one CR, or with CR alone", None))
        return record

    def _field(self, record: Record) -> None:
        number = len(record.fields)
        if self._text.startswith('"', self.place):
            self._quoted_field(record, number)
        else:
            end = self._end_of_unquoted()
            value = self._text[self.place : end]
            self.place = end
            record.fields.append(value)
            if "\r" in value:
                record.errors.append(("holds a CR that ends no line", number))
            if '"' in value:
                # After blanks it was meant to open the field, whose text then is anybody's guess.
                is_meant = value.lstrip().startswith('"')
                (record.errors if is_meant else record.oddities).append(("holds a quote within", number))

    def _quoted_field(self, record: Record, number: int) -> None:
        text, place, value = self._text, self.place + 1, ""
        while True:
            end = text.find('"', place)
            if end < 0:
                record.errors.append(("opens a quote that is never closed", number))
                value += text[place:]
                place = len(text)
                break
            value += text[place:end]
            place = end + 1
            if text.startswith('"', place):
                value += '"'
                place += 1
                continue
            break
        self.place = place
        after = self._end_of_unquoted()
        if text[place:after]:
            record.errors.append(("has text after its closing quote", number))
            value += text[place:after]
            self.place = after
        record.fields.append(value)
        record.quoted.add(number)
        if "\n" in value or "\r" in value:
            record.oddities.append(("spans lines", number))

    def _end_of_unquoted(self) -> int:
        """Where the comma or the line end stands that ends a field."""
        text, place = self._text, self.place
        while place < len(text) and text[place] not in ",\n":
            if text[place] == "\r" and _is_line_end(text, place):
                return place
            place += 1
        return place

    def _line_end(self) -> str:
        start = self.place
        while self._text.startswith("\r", self.place):
            self.place += 1
        if self._text.startswith("\n", self.place):
            self.place += 1
        return self._text[start : self.place]


def _is_line_end(text: str, place: int) -> bool:
    """Whether the run of CRs that starts here ends a line, or the file."""
    while place < len(text) and text[place] == "\r":
        place += 1
    return place == len(text) or text[place] == "\n"


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")
