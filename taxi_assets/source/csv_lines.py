"""Counts the lines of a CSV piece by piece: how many hold a row, whether one is too long, whether all are plain."""

from __future__ import annotations

from typing import Final

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.plain import LONGEST_LINE, PlainRows

_LONGEST_WITH_END: Final = LONGEST_LINE + 2


class CsvLines:
    """The lines after a CSV's header.

    Attributes:
        size: Bytes taken so far.
        rows: Lines so far that have an end and are not blank.
    """

    def __init__(self, where: str, header: bytes, columns: int) -> None:
        """Begin after the header.

        Args:
            where: File and source, for messages.
            header: The header's line without its LF.
            columns: How many columns it has.
        """
        self.size = 0
        self.rows = 0
        self._where = where
        self._plain = PlainRows(columns, b"\r\n" if header.endswith(b"\r") else b"\n")
        self._line_ends = 1
        self._open_length = 0
        self._open_is_blank = True

    def take(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UnexpectedContentError: A line is longer than readers take.
        """
        self.size += len(piece)
        self._require_short_lines(piece)
        if self._plain.take(piece):
            # There are no blank lines among plain rows.
            self.rows = self._plain.whole_rows
            self._line_ends = 1 + self._plain.whole_rows
            self._open_is_blank = not self._plain.has_open_row
        else:
            self._count(piece)

    def finish(self) -> None:
        """Count the last line, which may have no end."""
        self.rows += not self._open_is_blank

    def is_plain(self) -> bool:
        """See ``Contents.is_plain``."""
        return self._plain.finish()

    def _require_short_lines(self, piece: bytes) -> None:
        place = 0
        # Each step goes to the end of the last line that is short enough, so there are few steps.
        while (end := place + _LONGEST_WITH_END - self._open_length) <= len(piece):
            line_end = piece.rfind(b"\n", place, end)
            if line_end < 0:
                line = self._line_ends + piece.count(b"\n", 0, place) + 1
                raise UnexpectedContentError(
                    f"{self._where} has a line of more than {LONGEST_LINE:,} bytes, line {line:,}: nothing of it was "
                    "kept, so correct the file at its source or choose another source with TAXI_SOURCE."
                )
            place, self._open_length = line_end + 1, 0
        last_end = piece.rfind(b"\n", place)
        self._open_length = len(piece) - last_end - 1 if last_end >= 0 else self._open_length + len(piece) - place

    def _count(self, piece: bytes) -> None:
        first, last = piece.find(b"\n"), piece.rfind(b"\n")
        if first < 0:
            self._open_is_blank = self._open_is_blank and _is_blank(piece)
            return
        self.rows += not (self._open_is_blank and _is_blank(piece[:first]))
        self.rows += _rows_in_whole_lines(piece[first : last + 1])
        self._line_ends += piece.count(b"\n")
        self._open_is_blank = _is_blank(piece[last + 1 :])


def _rows_in_whole_lines(lines: bytes) -> int:
    """Rows between the line end that ``lines`` starts with and the one that it ends with."""
    if b"\n\n" in lines or b"\n\r" in lines:
        return sum(not _is_blank(line) for line in lines.split(b"\n"))
    # Without blank lines, counting line ends is many times faster than looking at each line.
    return lines.count(b"\n") - 1


def _is_blank(line: bytes) -> bool:
    return not line.strip(b"\r")
