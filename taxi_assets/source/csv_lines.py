"""Counts the lines of a CSV piece by piece: how many hold a row, whether one is too long, whether all are plain."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.files import LONGEST_LINE

_LF, _CR, _COMMA = b"\n\r,"

_SHORT_LINE: Final = 16
"""A line of fewer bytes may be blank and is looked at by itself."""

_LONG_NUMBER: Final = 19
_LONG_NUMBERS: Final = re.compile(rb"[0-9.]{%d,}" % _LONG_NUMBER)
_MOST_DIGITS: Final = 17
"""No computed number is written with more digits; a reader may round such a number to another one."""

_NUMBER, _OTHER = ord("0"), ord("!")
_PLAIN: Final = b" ,-/:\r\nABCDFGHIJKLMNOPQRSTUVWXYZabcdfghijklmnopqrstuvwxyz"
_CLASSES: Final = bytes(
    _NUMBER if byte in b"0123456789." else byte if byte in _PLAIN else _OTHER for byte in range(256)
)
"""Digits and points become 0. What readers may differ about (quotes, exponents, control characters …) becomes ``!``."""


class CsvLines:
    """The lines after a CSV's header.

    Attributes:
        size: Bytes taken so far.
        rows: Lines so far that have an end and are not blank.
    """

    def __init__(self, where: str, header: bytes) -> None:
        """Begin after the header, given without its LF; ``where`` names file and source in messages."""
        self.size = 0
        self.rows = 0
        self._where = where
        self._line_ends = 1
        self._crs = header.count(b"\r")
        self._crlfs = int(header.endswith(b"\r"))
        self._separators = 0
        self._has_doubtful = False
        self._last_bytes = b""
        self._open_length = 0
        self._open_is_blank = True

    def take(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UnexpectedContentError: A line is longer than readers take.
        """
        data = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(data == _LF)
        self._take_lines(piece, ends)
        self._separators += int(np.count_nonzero(data == _COMMA))
        self._take_carriage_returns(piece, data, ends)
        self._has_doubtful = self._has_doubtful or self._is_doubtful(piece)
        self._line_ends += len(ends)
        self._last_bytes = (self._last_bytes + piece[-_LONG_NUMBER:])[-_LONG_NUMBER:]
        self.size += len(piece)

    def finish(self) -> None:
        """Count the last line, which may have no end.

        Raises:
            UnexpectedContentError: It is longer than readers take.
        """
        # Where it has no end, readers leave room for one of two bytes.
        self._require_short(self._open_length + 1, self._line_ends + 1)
        self.rows += not self._open_is_blank

    def is_plain(self, columns: int) -> bool:
        """See ``Contents.is_plain``."""
        ends_are_alike = self._crs == self._crlfs and self._crlfs in (0, self._line_ends)
        return ends_are_alike and not self._has_doubtful and self._separators == self.rows * (columns - 1)

    def _take_lines(self, piece: bytes, ends: Any) -> None:
        """Count the lines that end in a piece; ``ends`` are the places of LF in it."""
        if not len(ends):
            self._open_length += len(piece)
            self._open_is_blank = self._open_is_blank and _is_blank(piece)
            self._require_short(self._open_length, self._line_ends + 1)
            return
        first, last = int(ends[0]), int(ends[-1])
        self._require_short(self._open_length + first, self._line_ends + 1)
        self.rows += not (self._open_is_blank and _is_blank(piece[:first]))
        lengths = np.diff(ends) - 1
        if len(lengths):
            longest = int(lengths.argmax())
            self._require_short(int(lengths[longest]), self._line_ends + longest + 2)
            if lengths.min() < _SHORT_LINE:
                self.rows += sum(not _is_blank(line) for line in piece[first + 1 : last].split(b"\n"))
            else:
                self.rows += len(lengths)
        self._open_length = len(piece) - last - 1
        self._open_is_blank = _is_blank(piece[last + 1 :])

    def _require_short(self, length: int, line: int) -> None:
        """Refuse a line that is longer than readers take; ``length`` is without its LF."""
        if length >= LONGEST_LINE:
            raise UnexpectedContentError(
                f"{self._where} has a line of more than {LONGEST_LINE:,} bytes, line {line:,}: nothing of it was kept, "
                "so correct the file at its source or choose another source with TAXI_SOURCE."
            )

    def _take_carriage_returns(self, piece: bytes, data: Any, ends: Any) -> None:
        """Count CRs, and those of them that an LF follows."""
        if len(ends) and ends[0] == 0:
            self._crlfs += self._last_bytes.endswith(b"\r")
            ends = ends[1:]
        if b"\r" in piece:
            self._crs += int(np.count_nonzero(data == _CR))
            self._crlfs += int(np.count_nonzero(data[ends - 1] == _CR))

    def _is_doubtful(self, piece: bytes) -> bool:
        """Whether a piece, or a number that began in the piece before, has what a lenient reader may misread."""
        classes = piece.translate(_CLASSES)
        if _OTHER in classes:
            return True
        is_suspect = bytes([_NUMBER]) * _LONG_NUMBER in classes
        return (is_suspect and _has_long_number(piece)) or _has_long_number(self._last_bytes + piece[:_LONG_NUMBER])


def _has_long_number(data: bytes) -> bool:
    return any(len(number.replace(b".", b"").lstrip(b"0")) > _MOST_DIGITS for number in _LONG_NUMBERS.findall(data))


def _is_blank(line: bytes) -> bool:
    return not line.strip(b"\r")
