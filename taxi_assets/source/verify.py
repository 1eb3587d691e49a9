"""Whether what arrived is the file: whole, the right format, the right columns; found out in one pass over it."""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from taxi_assets.errors import DamagedFileError, UnexpectedContentError
from taxi_assets.source.files import RawFile
from taxi_assets.source.plain import PlainRows

_CHUNK: Final = 256 * 1024
_LONGEST_OUTPUT: Final = 4 * 1024 * 1024
_LONGEST_HEADER: Final = 8 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WITH_TRAILER: Final = zlib.MAX_WBITS | 16
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WEB_PAGE_STARTS: Final = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")


@dataclass(frozen=True)
class Contents:
    """What a verified file holds.

    Attributes:
        size: Its length in bytes.
        sha256: Its SHA-256 in hexadecimal.
        csv_size: Length of the CSV in bytes, uncompressed; None for a Parquet file.
        rows: Lines after the header that are not blank.
        header: Names of the columns that the definition knows, spelled as there, in the order of the file.
        is_plain: Whether its rows are plain, so that a lenient reader can't misread them; see
            :class:`taxi_assets.source.plain.PlainRows`.
        unknown_columns: How many values there are in each column that the definition doesn't know.
    """

    size: int
    sha256: str
    csv_size: int | None
    rows: int
    header: tuple[str, ...]
    is_plain: bool
    unknown_columns: Mapping[str, int] = field(default_factory=dict)


def verify(path: Path, file: RawFile, *, source: str, announced_size: int | None) -> Contents:
    """Read the whole file once, in bounded memory, and say what it holds.

    Args:
        path: Where the bytes are.
        file: What they should be.
        source: Name of the source, for messages.
        announced_size: Length that the source stated, in bytes.

    Raises:
        DamagedFileError: The bytes are not the whole file: another length, truncated, corrupted, not gzip, a web
            page, or empty.
        UnexpectedContentError: The header lacks columns or has others, or no row follows it.
        OSError: ``path`` can't be read.
    """
    where = f"{file.name} from {source}"
    size = require_size(path, where, announced_size)
    digest = hashlib.sha256()
    lines = _Lines(where, file)
    with path.open("rb") as stream:
        compressed = _hashed_chunks(stream, digest)
        for chunk in _gunzipped(compressed, where) if file.is_gzip else compressed:
            lines.feed(chunk)
    header, rows = lines.finish()
    return Contents(
        size=size,
        sha256=digest.hexdigest(),
        csv_size=lines.size,
        rows=rows,
        header=header,
        is_plain=lines.is_plain,
    )


def require_size(path: Path, where: str, announced_size: int | None) -> int:
    """The file's length in bytes.

    Raises:
        DamagedFileError: It is empty, or not as long as the source stated.
    """
    size = path.stat().st_size
    if announced_size is not None and size != announced_size:
        raise damaged(where, f"has {size:,} bytes instead of the {announced_size:,} that were announced")
    if size == 0:
        raise damaged(where, "is empty")
    return size


def _hashed_chunks(stream: BinaryIO, digest: hashlib._Hash) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        yield chunk


def _gunzipped(chunks: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Decompress one or more gzip members; zlib itself compares each member's checksum and length."""
    member = None
    members = 0
    for chunk in chunks:
        data = chunk
        while data:
            if member is None:
                _require_gzip_start(data, members, where)
                member = zlib.decompressobj(_GZIP_WITH_TRAILER)
                members += 1
            try:
                yield member.decompress(data, _LONGEST_OUTPUT)
            except zlib.error as error:
                raise damaged(where, _zlib_words(str(error), members)) from error
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = None
    if member is not None:
        raise damaged(where, "is truncated, as its gzip stream ends without checksum and length")


def _require_gzip_start(data: bytes, members: int, where: str) -> None:
    if data.startswith(_GZIP_MAGIC) or (members and data == _GZIP_MAGIC[:1]):
        return
    if members:
        raise damaged(where, "has bytes after the end of its gzip stream that are not gzip")
    if is_web_page(data):
        raise damaged(where, "is a web page, not a gzip file")
    raise damaged(where, "is not a gzip file")


def _zlib_words(error: str, members: int) -> str:
    if "incorrect data check" in error:
        return "is corrupted, as its content does not match its checksum (CRC)"
    if "incorrect length check" in error:
        return "is corrupted, as its content does not have the length that is noted at its end"
    if "header" in error and members > 1:
        return "has bytes after the end of its gzip stream that are not gzip"
    return "is corrupted, as its gzip stream can't be decompressed"


class _Lines:
    """Takes the CSV in chunks: keeps the first line, counts the rest.

    Attributes:
        size: Bytes taken so far.
    """

    def __init__(self, where: str, file: RawFile) -> None:
        self.size = 0
        self._where = where
        self._file = file
        self._start = b""
        self._header: tuple[str, ...] | None = None
        self._rows = 0
        self._line_is_open = False
        self._plain = PlainRows(0, b"")

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the CSV."""
        self.size += len(chunk)
        if self._header is not None:
            self._count(chunk)
            return
        self._start += chunk
        first_line, line_end, rest = self._start.partition(b"\n")
        if line_end or len(first_line) > _LONGEST_HEADER:
            self._header = self._checked_header(first_line)
            self._plain = PlainRows(len(self._header), b"\r\n" if first_line.endswith(b"\r") else b"\n")
            self._start = b""
            self._count(rest)

    def finish(self) -> tuple[tuple[str, ...], int]:
        """The header and the number of rows, when everything was taken."""
        if self._header is None:
            if not self._start.removeprefix(_BYTE_ORDER_MARK).strip():
                raise damaged(self._where, "holds an empty CSV")
            self._header = self._checked_header(self._start)
        rows = self._rows + self._line_is_open
        if rows == 0:
            raise UnexpectedContentError(
                f"{self._where} holds a header but no rows: nothing of it was kept, choose another month or source."
            )
        return self._header, rows

    @property
    def is_plain(self) -> bool:
        """See :class:`Contents`."""
        return self._plain.finish()

    def _checked_header(self, first_line: bytes) -> tuple[str, ...]:
        if is_web_page(self._start):
            raise damaged(self._where, "holds a web page, not a CSV")
        return _header(first_line, self._file, self._where)

    def _count(self, chunk: bytes) -> None:
        if self._plain.take(chunk):
            # Plain rows are counted on the way; there are no blank lines among them.
            self._rows, self._line_is_open = self._plain.whole_rows, self._plain.has_open_row
            return
        first_end = chunk.find(b"\n")
        if first_end < 0:
            self._line_is_open = self._line_is_open or not _is_blank(chunk)
            return
        last_end = chunk.rfind(b"\n")
        self._rows += self._line_is_open or not _is_blank(chunk[:first_end])
        self._rows += _rows_in_whole_lines(chunk[first_end : last_end + 1])
        self._line_is_open = not _is_blank(chunk[last_end + 1 :])


def _rows_in_whole_lines(lines: bytes) -> int:
    """Rows between the line end that ``lines`` starts with and the one that it ends with."""
    if b"\n\n" in lines or b"\n\r" in lines:
        return sum(not _is_blank(line) for line in lines.split(b"\n"))
    # Without blank lines, counting line ends is many times faster than looking at each line.
    return lines.count(b"\n") - 1


def _is_blank(line: bytes) -> bool:
    return not line.strip(b"\r")


def _header(line: bytes, file: RawFile, where: str) -> tuple[str, ...]:
    """The file's column names, spelled as in the definition.

    Raises:
        DamagedFileError: The line is not a CSV header at all.
        UnexpectedContentError: Columns are missing, additional or there twice.
    """
    if b"\0" in line or len(line) > _LONGEST_HEADER:
        raise damaged(where, "does not begin with the header of a CSV")
    try:
        text = line.decode("utf-8-sig")
        found = [name.strip() for name in next(csv.reader([text.rstrip("\r")], strict=True), [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise damaged(where, "does not begin with the header of a CSV") from error
    spelling = {name.lower(): name for name in file.header}
    times = Counter(name.lower() for name in found)
    findings = {
        "missing": [name for name in file.header if name.lower() not in times],
        "unexpected": [name for name in found if name.lower() not in spelling],
        "there more than once": [spelling[name] for name, count in times.items() if count > 1 and name in spelling],
    }
    if any(findings.values()):
        said = "; ".join(f"{what}: {', '.join(names)}" for what, names in findings.items() if names)
        raise UnexpectedContentError(
            f"{where} does not have the columns of its definition ({said}): nothing of it was kept, "
            "so compare the file with the definition or choose another source with TAXI_SOURCE."
        )
    return tuple(spelling[name.lower()] for name in found)


def is_web_page(start: bytes) -> bool:
    """Whether bytes that a server sent begin like HTML or XML."""
    return start.removeprefix(_BYTE_ORDER_MARK).lstrip()[:16].lower().startswith(_WEB_PAGE_STARTS)


def damaged(where: str, what: str) -> DamagedFileError:
    """The error about bytes that are not the whole file; ``what`` goes on after the file's name and source."""
    return DamagedFileError(
        f"{where} {what}: nothing of it was kept, so fetch it again, and if it stays so choose another source "
        "with TAXI_SOURCE."
    )
