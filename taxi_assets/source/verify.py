"""Whether what arrived is the file: whole, of the right format, with the right columns; found out in one pass."""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from taxi_assets.errors import DamagedFileError, UnexpectedContentError
from taxi_assets.source.csv_lines import CsvLines
from taxi_assets.source.header import defined_names
from taxi_assets.source.raw_files import RawFile

_PIECE: Final = 256 * 1024
_LONGEST_OUTPUT: Final = 1024 * 1024
_LONGEST_HEADER: Final = 8 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WITH_TRAILER: Final = zlib.MAX_WBITS | 16
_GZIP_HEADER: Final = 4
"""Bytes of a member's header that are looked at here: magic number, method and flags."""

_REFUSED_GZIP_FLAGS: Final = {1: "the mark of a text file", 2: "a checksum of its own", 16: "a comment"}
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
        UnexpectedContentError: Columns are missing or unexpected, no row follows, a line is too long, or DuckDB can't
            read the gzip header.
        OSError: ``path`` can't be read.
    """
    where = f"{file.name} from {source}"
    size = require_size(path, where, announced_size)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stored = _hashed_pieces(stream, digest)
        pieces = _gunzipped(stored, where) if file.is_gzip else stored
        first_line, rest = _first_line(pieces, where)
        header = _header(first_line, file, where)
        lines = CsvLines(where, first_line, len(header))
        lines.take(rest)
        for piece in pieces:
            lines.take(piece)
    lines.finish()
    if lines.rows == 0:
        raise UnexpectedContentError(
            f"{where} holds a header but no rows: nothing of it was kept, choose another month or source."
        )
    return Contents(
        size=size,
        sha256=digest.hexdigest(),
        csv_size=len(first_line) + 1 + lines.size,
        rows=lines.rows,
        header=header,
        is_plain=lines.is_plain(),
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


def _hashed_pieces(stream: BinaryIO, digest: hashlib._Hash) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        digest.update(piece)
        yield piece


def _first_line(pieces: Iterator[bytes], where: str) -> tuple[bytes, bytes]:
    """Take the first line, without its LF, and what came after it in the same piece.

    Raises:
        DamagedFileError: It is the beginning of a web page, or there is none.
    """
    start = b""
    for piece in pieces:
        start += piece
        if b"\n" in start or len(start) > _LONGEST_HEADER:
            break
    if is_web_page(start):
        raise damaged(where, "holds a web page, not a CSV")
    line, _, rest = start.partition(b"\n")
    if not start.removeprefix(_BYTE_ORDER_MARK).strip():
        raise damaged(where, "holds an empty CSV")
    return line, rest


def _gunzipped(pieces: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Decompress one or more gzip members; zlib itself compares each member's checksum and length."""
    member = None
    members = 0
    data = b""
    for piece in pieces:
        data += piece
        while data:
            if member is None:
                if len(data) < _GZIP_HEADER:
                    break  # it goes on in the next piece
                _require_gzip_header(data, members, where)
                member = zlib.decompressobj(_GZIP_WITH_TRAILER)
                members += 1
            try:
                yield member.decompress(data, _LONGEST_OUTPUT)
            except zlib.error as error:
                raise damaged(where, _zlib_words(str(error), members)) from error
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = None
    if data:
        _require_gzip_header(data, members, where)
    if data or member is not None:
        raise damaged(where, "is truncated (its gzip stream ends without checksum and length)")


def _require_gzip_header(data: bytes, members: int, where: str) -> None:
    """Refuse what does not begin as a gzip member does, or with a header that DuckDB's reader refuses."""
    if data.startswith(_GZIP_MAGIC) or (members and data == _GZIP_MAGIC[:1]):
        flags = data[3] if len(data) >= _GZIP_HEADER else 0
        refused = [what for flag, what in _REFUSED_GZIP_FLAGS.items() if flags & flag]
        if refused:
            raise UnexpectedContentError(
                f"{where} has a gzip header with {' and '.join(refused)}, which DuckDB can't read: nothing of it was "
                "kept, so unpack the file and compress it again with gzip."
            )
        return
    if members:
        raise damaged(where, "has bytes after the end of its gzip stream that are not gzip")
    if is_web_page(data):
        raise damaged(where, "is a web page, not a gzip file")
    raise damaged(where, "is not a gzip file")


def _zlib_words(error: str, members: int) -> str:
    if "incorrect data check" in error:
        return "is corrupted (its content does not match its CRC checksum)"
    if "incorrect length check" in error:
        return "is corrupted (its content does not have the length that is noted at its end)"
    if "header" in error and members > 1:
        return "has bytes after the end of its gzip stream that are not gzip"
    return "is corrupted (its gzip stream can't be decompressed)"


def _header(line: bytes, file: RawFile, where: str) -> tuple[str, ...]:
    """The file's column names, spelled as in the definition.

    Raises:
        DamagedFileError: The line is not a CSV header at all.
        UnexpectedContentError: Columns are missing, unexpected or repeated.
    """
    if b"\0" in line or len(line) > _LONGEST_HEADER:
        raise damaged(where, "does not begin with the header of a CSV")
    try:
        text = line.decode("utf-8-sig")
        found = [name.strip() for name in next(csv.reader([text.rstrip("\r")], strict=True), [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise damaged(where, "does not begin with the header of a CSV") from error
    return tuple(defined_names(found, file, where).values())


def is_web_page(start: bytes) -> bool:
    """Whether bytes that a server sent begin like HTML or XML."""
    return start.removeprefix(_BYTE_ORDER_MARK).lstrip()[:16].lower().startswith(_WEB_PAGE_STARTS)


def damaged(where: str, what: str) -> DamagedFileError:
    """The error about bytes that are not the whole file; ``what`` is put after the file's name and source."""
    return DamagedFileError(
        f"{where} {what}: nothing of it was kept, so fetch it again, and if it happens again choose another "
        "source with TAXI_SOURCE."
    )
