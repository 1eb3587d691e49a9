"""Unpacks gzip by its specification (RFC 1952): header flags, members, checksums and lengths."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_MAGIC = b"\x1f\x8b\x08"
_FTEXT, _FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 1, 2, 4, 8, 16, 0xE0
_FIXED_HEADER = 10
_TRAILER = 8


class NotGzipError(Exception):
    """The bytes are not whole gzip members."""


@dataclass(frozen=True)
class Unpacked:
    """What was packed.

    Attributes:
        content: The bytes.
        oddities: What is allowed but unusual, so that a reader may refuse it.
    """

    content: bytes
    oddities: tuple[str, ...]


def unpack(data: bytes) -> Unpacked:
    """Unpack all members.

    Raises:
        NotGzipError: The bytes are not whole gzip members.
    """
    content, oddities, place = b"", [], 0
    while place < len(data):
        rest = data[place:]
        if place and not rest.strip(b"\0"):
            oddities.append("zeros after the end")
            break
        start, odd = _after_header(rest)
        oddities += odd
        member = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            unpacked = member.decompress(rest[start:])
        except zlib.error as error:
            raise NotGzipError(f"damaged: {error}") from error
        if not member.eof or len(member.unused_data) < _TRAILER:
            raise NotGzipError("truncated")
        checksum = int.from_bytes(member.unused_data[:4], "little")
        length = int.from_bytes(member.unused_data[4:_TRAILER], "little")
        if checksum != zlib.crc32(unpacked) or length != len(unpacked) % 2**32:
            raise NotGzipError("damaged: checksum or length")
        content += unpacked
        place = len(data) - len(member.unused_data) + _TRAILER
    if not data:
        raise NotGzipError("empty")
    return Unpacked(content, tuple(oddities))


def _after_header(data: bytes) -> tuple[int, list[str]]:
    """Length of a member's header, and what is unusual about it."""
    if len(data) < _FIXED_HEADER or not data.startswith(_MAGIC):
        raise NotGzipError("not gzip")
    flags = data[3]
    if flags & _RESERVED:
        raise NotGzipError("reserved flags")
    place = _FIXED_HEADER
    odd = [
        name
        for flag, name in ((_FTEXT, "FTEXT"), (_FHCRC, "FHCRC"), (_FEXTRA, "FEXTRA"), (_FCOMMENT, "FCOMMENT"))
        if flags & flag
    ]
    if flags & _FEXTRA:
        place += 2 + int.from_bytes(data[place : place + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            end = data.find(b"\0", place)
            if end < 0:
                raise NotGzipError("truncated")
            place = end + 1
    if flags & _FHCRC:
        if int.from_bytes(data[place : place + 2], "little") != zlib.crc32(data[:place]) & 0xFFFF:
            odd.append("a checksum of the header that is wrong")
        place += 2
    if place > len(data):
        raise NotGzipError("truncated")
    return place, odd
