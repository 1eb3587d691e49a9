"""A CSV is plain only where no reader, however lenient, can take it for anything else."""

import random

import pytest

from taxi_assets.source.plain import PlainRows

ROWS = [b"1,2019-01-01 00:46:40,1.50,N", b"2,2019-01-01 00:59:47,-.5,", b",,,", b"1,x,10.1234,Y/N (a): 'b'"]


def is_plain(rows: bytes, pieces: int = 1, line_end: bytes = b"\r\n", columns: int = 4) -> tuple[bool, int]:
    """Whether the rows are plain and how many have ended, where they come in so many pieces."""
    found = PlainRows(columns, line_end)
    cuts = sorted(random.Random(pieces).choices(range(len(rows)), k=pieces - 1))
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        found.take(rows[first:last])
    return found.finish(), found.whole_rows


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("pieces", [1, 2, 7, 60])
def test_rows_as_they_are_published_are_plain_however_they_come(line_end: bytes, pieces: int):
    rows = b"".join(row + line_end for row in ROWS)
    assert is_plain(rows, pieces, line_end) == (True, 4)
    assert is_plain(rows.removesuffix(line_end), pieces, line_end) == (True, 3)


@pytest.mark.parametrize("pieces", [1, 2, 7, 60])
@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"1,x,1", id="a field too few"),
        pytest.param(b"1,x,1,N,", id="an empty field too many"),
        pytest.param(b"1,x,1,N,\r\n1,x,1", id="fields that only add up"),
        pytest.param(b"", id="a blank line"),
        pytest.param(b'1,x,1,"N"', id="a quote"),
        pytest.param(b"1,x,1_000,N", id="an underscore"),
        pytest.param(b"1,x,+-5,N", id="a plus sign"),
        pytest.param(b"1,x,1e-400,N", id="an exponent"),
        pytest.param(b"1,x,1.E5,N", id="an exponent after a point"),
        pytest.param(b"1,x,5.0000000000000000001,N", id="many decimals"),
        pytest.param(b"1,x,0.12345,N", id="five decimals"),
        pytest.param(b"1,x,\t5,N", id="a tab"),
        pytest.param(b"1,x,5,N\0", id="a byte of zero"),
        pytest.param(b"1,x,5,\x7f", id="a control character"),
        pytest.param(b"1,x,5,\xc3\xa9", id="a letter with an accent"),
        pytest.param(b"1,x,5,N\n1,x,5,N", id="another line end"),
        pytest.param(b"1,x,5,N\r", id="a second carriage return"),
        pytest.param(b"1,x,5\r,N", id="a carriage return within the line"),
    ],
)
def test_one_odd_row_is_enough(odd: bytes, pieces: int):
    rows = b"".join(row + b"\r\n" for row in [*ROWS, odd, *ROWS])
    assert not is_plain(rows, pieces)[0]


@pytest.mark.parametrize("rest", [b"1,x,5", b"1", b"1,x,5,N\r"])
def test_a_last_row_that_is_not_whole_is_not_plain(rest: bytes):
    assert not is_plain(b"".join(row + b"\r\n" for row in ROWS) + rest)[0]


def test_a_file_of_one_column_is_not_plain_as_its_blank_lines_might_be_rows():
    assert not is_plain(b"1\n2\n", line_end=b"\n", columns=1)[0]
