"""Whether a CSV is written so plainly that a lenient reader can't take it for anything else.

DuckDB's reader is fast and lenient: it takes a field too many where that is empty, drops blanks beside quotes, and
reads ``+-5``, ``1_000``, ``1e-400`` and ``5.0000000000000000001`` as numbers. Files as they are published have none of
that, and a few counts over each piece prove it; a file that is not plain is read line by line before it is loaded.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_LINE: Final = 64 * 1024
"""The most bytes that a line of a CSV may have, without its line end: as many as readers take."""

_HARMLESS: Final = bytes(byte for byte in range(0x20, 0x7F) if byte not in b',"_+')
_FIVE_DECIMALS: Final = re.compile(rb"\.[0-9]{5}")
_EXPONENT: Final = re.compile(rb"[0-9.][eE]")
_LONGEST_OVERLAP: Final = 5


class PlainRows:
    """Takes the rows of a CSV in chunks for as long as they are plain.

    Plain rows have as many separators as so many columns need, and all end alike, by LF or by CRLF. They consist of
    printable ASCII without quotes, underscores and plus signs, and no number in them has an exponent or more than four
    decimals. The last row may have no line end.

    Attributes:
        is_plain: Whether all that was taken is plain.
    """

    def __init__(self, columns: int, line_end: bytes) -> None:
        """Be ready for rows of so many columns.

        Args:
            columns: How many columns the header has.
            line_end: The end of the header's line.
        """
        self.is_plain = columns > 1
        self._separators = columns - 1
        self._marks_of_row = b"," * self._separators + line_end
        self._marks_of_rows = b""
        self._marks = 0
        self._overlap = b""

    @property
    def whole_rows(self) -> int:
        """How many rows have ended by a line end."""
        return self._marks // len(self._marks_of_row)

    @property
    def has_open_row(self) -> bool:
        """Whether a row has begun that has not ended yet."""
        return not self._overlap.endswith(b"\n") if self._overlap else False

    def take(self, chunk: bytes) -> bool:
        """Take the next piece unless one was not plain, and say whether all are plain."""
        if self.is_plain:
            self.is_plain = self._has_plain_marks(chunk) and self._has_plain_numbers(chunk)
        return self.is_plain

    def finish(self) -> bool:
        """Say whether all are plain, and the last row is whole."""
        separators = self._separators if self.has_open_row else 0
        return self.is_plain and self._marks % len(self._marks_of_row) == separators

    def _has_plain_marks(self, chunk: bytes) -> bool:
        # What stays must be the separators and the end of one row, again and again.
        marks = chunk.translate(None, _HARMLESS)
        start = self._marks % len(self._marks_of_row)
        if len(self._marks_of_rows) < start + len(marks):
            self._marks_of_rows = self._marks_of_row * (len(marks) // len(self._marks_of_row) + 2)
        self._marks += len(marks)
        return marks == self._marks_of_rows[start : start + len(marks)]

    def _has_plain_numbers(self, chunk: bytes) -> bool:
        text = self._overlap + chunk
        self._overlap = text[-_LONGEST_OVERLAP:]
        has_e = b"e" in text or b"E" in text
        return _FIVE_DECIMALS.search(text) is None and not (has_e and _EXPONENT.search(text))
