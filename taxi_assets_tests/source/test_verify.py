"""Verification: a file that is not whole, not gzip or not the taxi's is told from one that is, in one sentence."""

import gzip
import struct
import tracemalloc
import zlib

import duckdb
import pytest

from taxi_assets.errors import DamagedFileError, UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.source import verify as verify_module
from taxi_assets.source.plain import LONGEST_LINE
from taxi_assets.source.raw_files import trip_file, zones_file
from taxi_assets.source.verify import Contents, verify
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.source.made_files import FILE, GREEN, HEADER, made_csv, made_gzip

ROW = ",".join("1" for _ in GREEN.header)


@pytest.fixture
def check(tmp_path):
    def check(data, file=FILE, announced_size=None) -> Contents:
        path = tmp_path / "arrived"
        path.write_bytes(data)
        return verify(path, file, source="somewhere", announced_size=announced_size)

    return check


def gz(text):
    return gzip.compress(text.encode(), mtime=0)


def says(*, error, check, data, words, **more):
    with pytest.raises(error) as raised:
        check(data, **more)
    message = str(raised.value)
    assert words in message
    assert "somewhere" in message
    assert message.count("\n") == 0
    return message


@needs_real_data
def test_the_real_file_of_october_2020_is_whole_and_has_its_published_figures():
    file = trip_file(GREEN, Month(2020, 10))
    contents = verify(REAL_DATA / "source" / file.path, file, source="real", announced_size=1_709_547)
    assert contents.rows == 95_120
    assert contents.csv_size == 8_594_676
    assert contents.size == 1_709_547
    assert contents.sha256 == file.published.gz_sha256
    assert contents.header == GREEN.header
    assert contents.is_plain


@needs_real_data
def test_the_real_zones_are_plain_csv_with_265_rows():
    file = zones_file()
    path = REAL_DATA / "source" / file.path
    contents = verify(path, file, source="real", announced_size=None)
    assert contents.rows == 265
    assert contents.size == contents.csv_size == path.stat().st_size
    assert contents.header == file.header


def test_length_other_than_announced_is_refused(check):
    data = made_gzip()
    says(error=DamagedFileError, check=check, data=data, announced_size=len(data) + 1, words="were announced")
    says(error=DamagedFileError, check=check, data=data, announced_size=len(data) - 1, words="were announced")


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>", b"\n  <HTML><body>", b"\xef\xbb\xbf<html>", b"<?xml version='1.0'?><Error/>"]
)
def test_a_web_page_is_called_one(check, page):
    says(error=DamagedFileError, check=check, data=page, words="is a web page, not a gzip file")
    says(error=DamagedFileError, check=check, data=gzip.compress(page), words="holds a web page")
    says(error=DamagedFileError, check=check, data=page, file=zones_file(), words="holds a web page")


def test_an_empty_file_and_one_that_is_not_gzip_are_refused(check):
    says(error=DamagedFileError, check=check, data=b"", words="is empty")
    says(error=DamagedFileError, check=check, data=b"", file=zones_file(), words="is empty")
    says(error=DamagedFileError, check=check, data=made_csv(), words="is not a gzip file")
    says(error=DamagedFileError, check=check, data=b"\x1f", words="is not a gzip file")


@pytest.mark.parametrize("kept", [2, 5, 10, 1_000, 100_000, -9, -8, -4, -1])
def test_a_file_that_ends_too_early_is_truncated_wherever_it_ends(check, kept):
    says(error=DamagedFileError, check=check, data=made_gzip()[:kept], words="is truncated")


def test_a_file_that_ends_exactly_after_a_row_is_truncated_as_its_end_mark_is_missing(check):
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(f"{HEADER}\r\n{ROW}\r\n".encode()) + packer.flush(zlib.Z_FULL_FLUSH)
    assert zlib.decompressobj(31).decompress(data).endswith(b"\r\n")
    says(error=DamagedFileError, check=check, data=data, words="is truncated")


def test_wrong_checksum_wrong_length_and_damaged_stream_are_corruption(check):
    data = made_gzip()
    length = struct.unpack("<I", data[-4:])[0]
    wrong_crc = data[:-8] + bytes(4) + data[-4:]
    wrong_length = data[:-4] + struct.pack("<I", length + 1)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    says(error=DamagedFileError, check=check, data=wrong_crc, words="CRC checksum")
    says(error=DamagedFileError, check=check, data=wrong_length, words="the length that is noted")
    says(error=DamagedFileError, check=check, data=bytes(damaged), words="is corrupted")


@pytest.mark.parametrize("garbage", [b"x", b"<html>", bytes(512), b"\x1fgarbage"])
def test_bytes_after_the_gzip_stream_are_refused(check, garbage):
    says(error=DamagedFileError, check=check, data=made_gzip() + garbage, words="after the end of its gzip stream")


def test_several_gzip_members_are_one_file(check):
    csv = made_csv()
    whole = check(gzip.compress(csv, mtime=0))
    split = check(b"".join(gzip.compress(piece) for piece in (csv[:10], csv[10:5_000], csv[5_000:])))
    assert (split.rows, split.csv_size, split.header) == (whole.rows, whole.csv_size, whole.header)


def test_a_second_member_that_is_cut_is_truncation(check):
    says(error=DamagedFileError, check=check, data=made_gzip() + made_gzip()[:50], words="is truncated")


@pytest.mark.parametrize("csv", ["", "\ufeff", "\r\n", "\n\n"])
def test_an_empty_csv_is_refused(check, csv):
    with pytest.raises((DamagedFileError, UnexpectedContentError)):
        check(gz(csv))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\n\r\n\r\n"])
def test_a_header_without_rows_is_refused(check, end):
    says(error=UnexpectedContentError, check=check, data=gz(HEADER + end), words="a header but no rows")


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ("{h}\n{r}", 1),
        ("{h}\n{r}\n", 1),
        ("{h}\r\n{r}\r\n{r}", 2),
        ("{h}\r\n{r}\r\n{r}\r\n", 2),
        ("{h}\n{r}\r\n{r}\n", 2),
        ("{h}\r\n\r\n{r}\r\n\r\n\r\n{r}\r\n\r\n", 2),
        ("{h}\n\n\n{r}\n\n", 1),
        ("\ufeff{h}\n{r}\n", 1),
    ],
)
def test_rows_are_the_lines_after_the_header_that_are_not_blank(check, lines, rows):
    assert check(gz(lines.format(h=HEADER, r=ROW))).rows == rows


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_rows_are_counted_the_same_however_the_bytes_are_cut(check, piece):
    csv = f"{HEADER}\r\n{ROW}\r\n\r\n{ROW}\n\n\n{ROW}\r\n\r\n{ROW}".encode()
    members = [gzip.compress(csv[at : at + piece]) for at in range(0, len(csv), piece)]
    assert check(b"".join(members)).rows == 4


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda header: ",".join(f'"{n}"' for n in header.split(","))])
def test_header_is_compared_without_case_and_quotes_and_spelled_as_defined(check, change):
    assert check(gz(f"{change(HEADER)}\r\n{ROW}\r\n")).header == GREEN.header


def test_columns_may_stand_in_any_order_and_are_given_in_the_files(check):
    turned = tuple(reversed(GREEN.header))
    assert check(gz(f"{','.join(turned)}\n{ROW}\n")).header == turned


def test_every_missing_and_unexpected_column_is_named(check):
    header = HEADER.replace("VendorID", "Vendor").replace("trip_type", "kind") + ",extra"
    message = says(
        error=UnexpectedContentError, check=check, data=gz(f"{header}\n{ROW},1\n"), words="VendorID, trip_type"
    )
    assert "unexpected: Vendor, kind" in message
    assert "more than once: extra" in message
    assert FILE.name in message


def test_one_column_missing_or_one_more_is_refused(check):
    says(
        error=UnexpectedContentError,
        check=check,
        data=gz(HEADER.rpartition(",")[0] + f"\n{ROW}\n"),
        words="missing: cong",
    )
    says(error=UnexpectedContentError, check=check, data=gz(HEADER + f",fee\n{ROW}\n"), words="unexpected: fee")


@pytest.mark.parametrize("start", [b"\xff\xfe\x00bin", b"\x00\x01\x02", b'"open', b"x" * 100_000])
def test_a_csv_that_does_not_begin_with_text_is_refused_in_one_sentence(check, start):
    with pytest.raises((DamagedFileError, UnexpectedContentError)) as raised:
        check(gzip.compress(start + b"\n1,2\n"))
    assert len(str(raised.value)) < 1_500


def pieces_of(csv: bytes, size: int) -> bytes:
    """Compressed so that verification gets it in pieces of that many bytes."""
    return b"".join(gzip.compress(csv[at : at + size]) for at in range(0, len(csv), size))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_rows_that_no_reader_can_misread_are_plain(check, end, last_end):
    csv = end.join([HEADER, *[ROW] * 5]) + (end if last_end else "")
    for size in (1, 19, len(csv)):
        contents = check(pieces_of(csv.encode(), size))
        assert (contents.is_plain, contents.rows) == (True, 5)


@pytest.mark.parametrize("odd", [f'"1"{ROW[1:]}', f"{ROW},", f"1e5{ROW[1:]}", f"1.12345{ROW[1:]}", f"{ROW}\n{ROW}", ""])
@pytest.mark.parametrize("before", [0, 3])
def test_one_odd_row_makes_a_file_less_than_plain_and_rows_are_still_counted(check, odd, before):
    csv = "\r\n".join([HEADER, *[ROW] * before, odd, *[ROW] * 3, ""])
    rows = len([line for line in csv.splitlines() if line]) - 1
    for size in (1, 10, 100, len(csv)):
        contents = check(pieces_of(csv.encode(), size))
        assert (contents.is_plain, contents.rows) == (False, rows)


@pytest.mark.parametrize(
    ("header_end", "end"), [("\n", "\r\n"), ("\r\n", "\n"), ("\r\n", "\r\r\n"), ("\r\n", "\r\n\n")]
)
def test_a_file_whose_lines_do_not_end_alike_is_not_plain(check, header_end, end):
    csv = f"{HEADER}{header_end}{ROW}{end}{ROW}{end}".encode()
    for size in (1, 7, len(csv)):
        assert not check(pieces_of(csv, size)).is_plain


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_a_line_is_as_long_as_readers_take_or_is_refused_by_its_number(check, end, last_end):
    for excess in (0, 2):
        long = "x" * (LONGEST_LINE - len(ROW) + excess) + ROW
        csv = end.join([HEADER, ROW, "", ROW, long]) + (end if last_end else "")
        for data in (gz(csv), pieces_of(csv.encode(), 50_000)):
            if not excess:
                assert check(data).rows == 3
            else:
                says(error=UnexpectedContentError, check=check, data=data, words="more than 65,536 bytes, line 5:")


def test_one_line_that_never_ends_is_refused_in_bounded_memory(check):
    packer = zlib.compressobj(1, wbits=31)
    ones = b"1," * 500_000
    data = packer.compress(f"{HEADER}\n{ROW}\n".encode())
    data += b"".join(packer.compress(ones) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    try:
        says(error=UnexpectedContentError, check=check, data=data, words="has a line of more than 65,536 bytes, line 3")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def member_with(flags: int, csv: bytes) -> bytes:
    """A gzip member with these optional parts in its header."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    header += struct.pack("<H", 4) + b"more" if flags & 4 else b""
    header += b"trips.csv\0" if flags & 8 else b""
    header += b"made by hand\0" if flags & 16 else b""
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b""
    packer = zlib.compressobj(wbits=-15)
    return header + packer.compress(csv) + packer.flush() + struct.pack("<II", zlib.crc32(csv), len(csv))


@pytest.mark.parametrize("flags", range(32))
def test_gzip_headers_that_duckdb_refuses_are_refused_and_no_others(check, tmp_path, flags):
    csv = made_csv(20)
    for data in (member_with(flags, csv), gzip.compress(csv[:700]) + member_with(flags, csv[700:])):
        (tmp_path / "trips.csv.gz").write_bytes(data)
        try:
            duckdb.read_csv(str(tmp_path / "trips.csv.gz"), all_varchar=True).fetchall()
        except duckdb.Error:
            says(error=UnexpectedContentError, check=check, data=data, words="has a gzip header with")
        else:
            assert check(data).rows == 20


def test_what_is_in_a_gzip_header_is_named(check):
    message = says(
        error=UnexpectedContentError, check=check, data=member_with(0b10011, made_csv()), words="DuckDB can't read"
    )
    assert "with the mark of a text file and a checksum of its own and a comment, which" in message
    assert "compress it again with gzip" in message


def test_a_member_may_begin_anywhere_in_the_file(check, monkeypatch):
    monkeypatch.setattr(verify_module, "_PIECE", 7)
    csv = made_csv(60)
    for size in (1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006):
        assert check(pieces_of(csv, size)).rows == 60
        says(error=DamagedFileError, check=check, data=pieces_of(csv, size)[:-1], words="is truncated")
        says(error=DamagedFileError, check=check, data=pieces_of(csv, size) + b"\x1fx", words="after the end of")
        says(error=DamagedFileError, check=check, data=pieces_of(csv, size) + b"\x1f\x8b", words="is truncated")


def test_memory_stays_small_however_much_the_bytes_unpack_to(check):
    lines = f"{HEADER}\n{ROW}\n".encode() + (ROW + "\n").encode() * 1_000_000
    data = gzip.compress(lines, 1)
    del lines
    tracemalloc.start()
    try:
        contents = check(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert contents.rows == 1_000_001
    assert contents.csv_size > 40_000_000
    assert peak < 20_000_000
