"""Ways to pack a CSV: sound but unusual, and damaged."""

from __future__ import annotations

import gzip
import random
import struct
import zlib

_FTEXT, _FHCRC, _FEXTRA, _FNAME, _FCOMMENT = 1, 2, 4, 8, 16


def packed(content: bytes, choice: random.Random) -> tuple[str | None, bytes]:
    """Pack a CSV: nearly always as published files are, else in a way that is named."""
    if choice.random() < 0.85:
        return None, gzip.compress(content, 1, mtime=0)
    return gzip_mutation(content, choice)


def gzip_mutation(content: bytes, choice: random.Random) -> tuple[str, bytes]:
    """Pack a CSV in an unusual or damaged way, and return the kind and the bytes."""
    whole = gzip.compress(content, 1, mtime=0)
    place = choice.randrange(len(content) + 1)
    kind = choice.choice(
        ("header flags", "members", "bits flipped", "cut off", "trailer", "something after", "not gzip")
    )
    match kind:
        case "header flags":
            made = _member(content, choice.choice((1, 2, 3, 4, 8, 9, 16, 26, 31, 32, 64, 128, 255)), choice)
        case "members":
            parts = [content[:place], content[place:]]
            if choice.random() < 0.3:
                parts.insert(choice.randrange(3), b"")
            made = b"".join(gzip.compress(part, choice.choice((0, 1, 9)), mtime=0) for part in parts)
        case "bits flipped":
            bent = bytearray(whole)
            for _ in range(choice.choice((1, 1, 2, 8))):
                bent[choice.randrange(len(bent))] ^= 1 << choice.randrange(8)
            made = bytes(bent)
        case "cut off":
            made = whole[
                : choice.choice((0, 1, 5, 10, 18, len(whole) - 8, len(whole) - 1, choice.randrange(len(whole))))
            ]
        case "trailer":
            made = whole[:-8] + struct.pack(
                "<II", zlib.crc32(content) ^ choice.choice((0, 1)), len(content) ^ choice.choice((1, 256))
            )
        case "something after":
            after = (
                b"\0",
                b"\0" * 512,
                b"\x1f",
                b"\x1f\x8b",
                b"garbage",
                b"\n",
                whole[:20],
                b"\x1f\x8b\x08\0",
                b"\xff" * 9,
            )
            made = whole + choice.choice(after)
        case _:
            made = choice.choice(
                (
                    content,
                    zlib.compress(content),
                    zlib.compress(content, wbits=-15),
                    b"<!DOCTYPE html><html><body>Not found</body></html>",
                    b"",
                    b"\0" * 100,
                    gzip.compress(whole, mtime=0),
                    b"PK\x03\x04" + content[:100],
                    b"PAR1" + content[:100] + b"PAR1",
                    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
                )
            )
    return f"gzip: {kind}", made


def _member(content: bytes, flags: int, choice: random.Random) -> bytes:
    """A gzip member with these flags in its header, and what they announce."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff"
    if flags & _FEXTRA:
        extra = b"ab\x02\x00xy"
        header += struct.pack("<H", len(extra)) + extra
    if flags & _FNAME:
        header += choice.choice((b"trips.csv\0", b"\0", "é.csv\0".encode("latin-1"), b"a" * 300 + b"\0"))
    if flags & _FCOMMENT:
        header += b"a comment\0"
    if flags & _FHCRC:
        header += struct.pack("<H", (zlib.crc32(header) & 0xFFFF) ^ choice.choice((0, 0, 0, 1)))
    raw = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = raw.compress(content) + raw.flush()
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) % 2**32)
