"""Malformed CSVs: a sound month's text with one to three faults, chosen by a random generator that is seeded."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.strict.columns import StrictColumn, StrictTaxi

ODD_NUMBERS = (
    *("5.0", "5.", ".5", "-0", "-0.0", "+5", "007", "1e2", "1E-2", "5e0", "12.30000", "0.1234", "9999999999.9999"),
    *("0.30000000000000004", "17.799999999999997", "1.1500000000000001", "100000000.10000001", "33.300000000000004"),
    *("5.12345", "1234567890.12345", "100000000.00001", "12345678.123456", "0.00001", "5.00000000000001"),
    *("5.0000000000000000001", "0.10000000000000000001", "99999999999", "10000000000", "-10000000000.5", "1e10"),
    *("2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296", "1e400", "-1e400", "1e-400", "1e-5"),
    *("1e1000000000000", "1e99999", "0e999999999", "1e", "e5", "1e+", "+-5", "--5", "5-", "1_000", "1,5", "1 5"),
    *("0x10", "inf", "-inf", "nan", "NaN", "Infinity", "NULL", "null", "None", "\\N", "true", "TRUE", "N/A", "-", "+"),
    *(".", "$5", "5$", "5%", "1.2.3", "１２", "٣", "5\u00a0", "\u00a05", "−5", "5\t", "\t5", " 5", "5 ", "5\x0c"),  # noqa: RUF001
    *("5\x0b", "\x005", "5\x00", "5\u200b", "1'000", "0b1", "1.7976931348623157e308", "4.9e-324", "0.00005", "2.5"),
    *("0.5000000000000001", "2147483647.5", "2147483646.9999999", "1" * 40, "0." + "1" * 40, "9" * 14 + ".9999"),
)
ODD_TIMESTAMPS = (
    *("2019-01-15", "2019-01-15T10:00:00", "2019-01-15 10:00", "2019-01-15 10:00:00.5", "2019-01-15 10:00:00.000000"),
    *(
        "2019-02-29 10:00:00",
        "2019-13-01 10:00:00",
        "2019-00-10 10:00:00",
        "2019-01-00 10:00:00",
        "2019-01-32 00:00:00",
    ),
    *("2019-01-15 24:00:00", "2019-01-15 23:59:60", "2019-01-15 10:60:00", "2019-1-5 1:2:3", "15/01/2019 10:00:00"),
    *("01/15/2019 10:00:00 AM", "2019-01-15 10:00:00Z", "2019-01-15 10:00:00+00", "2019-01-15 10:00:00 UTC"),
    *(
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "10000-01-01 00:00:00",
        "-001-01-01 00:00:00",
    ),
    *(
        "1900-02-29 10:00:00",
        "2000-02-29 10:00:00",
        "1970-01-01 00:00:00",
        "1582-10-10 10:00:00",
        "2038-01-19 03:14:08",
    ),
    *(" 2019-01-15 10:00:00", "2019-01-15 10:00:00 ", "2019-01-15  10:00:00", "2019-01-15\t10:00:00", "1547546400"),
    *(
        "infinity",
        "-infinity",
        "epoch",
        "now",
        "today",
        "null",
        "2019-01-15 10:00:00 BC",
        "\uff12\uff10\uff11\uff19-01-15 10:00:00",
    ),
    *("2019-01-15 10.00.00", "2019/01/15 10:00:00", "20190115 100000", "43480.5", "NaT", "2019-01-15 10:00:0\x00"),
)
ODD_TEXTS = (
    *(
        "",
        " ",
        "y",
        "N ",
        " N",
        "é",
        "漢字",
        "🚕",
        "e\u0301",
        "NULL",
        "null",
        "\\N",
        "\\",
        "'",
        "`",
        ";",
        "|",
        "N;Y",
        "#",
    ),
    *(
        "N\tY",
        "\x01",
        "\x1f",
        "\x7f",
        "\u0085",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\uffff",
        "N\x00",
        "\x00",
        "\x00Y",
        "a" * 300,
    ),
    *(
        "a" * 70_000,
        "é" * 40_000,
        "-",
        "--",
        "0",
        "1e5",
        "true",
        "=1+1",
        "{}",
        "$1",
        "%s",
        "{{ taxi }}",
        "\u2028",
        "\xa0",
    ),
)
HEADER_TRICKS = (
    "rename",
    "repeat",
    "drop",
    "add",
    "swap",
    "case",
    "quotes",
    "blanks",
    "mark",
    "empty",
    "twice",
    "order",
)


@dataclass
class CsvText:
    """A CSV as text that can be bent.

    Attributes:
        header: Names of the columns.
        rows: The fields of each row, as they are written.
        end: The line end.
        start: What stands before the header.
        tail: What stands after the last row, its line end included.
        ends: Line ends of single rows that differ, by their number; -1 is the header's.
    """

    header: list[str]
    rows: list[list[str]]
    end: str = "\r\n"
    start: str = ""
    tail: str | None = None
    ends: dict[int, str] = field(default_factory=dict)

    def encoded(self, encoding: str = "utf-8") -> bytes:
        """The bytes of the whole."""
        parts = [self.start, ",".join(self.header), self.ends.get(-1, self.end)]
        last = len(self.rows) - 1
        for number, row in enumerate(self.rows):
            parts.append(",".join(row))
            default = self.end if number < last or self.tail is None else self.tail
            parts.append(self.ends.get(number, default))
        return "".join(parts).encode(encoding, "surrogateescape")


Mutation = Callable[[CsvText, StrictTaxi, random.Random], None]
ByteMutation = Callable[[bytes, random.Random], bytes]


def csv_text(content: bytes) -> CsvText:
    """Take a sound CSV of the sample apart: CRLF, no quotes."""
    header, *rows = content.decode().split("\r\n")
    return CsvText(header.split(","), [row.split(",") for row in rows if row])


def mutated_csv(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> tuple[str, bytes]:
    """Bend a CSV, and return the kind of the fault and the bytes.

    Nearly all have one fault, so that each is judged by itself; the rest have up to three.
    """
    kinds = []
    for _ in range(1 if choice.random() < 0.8 else choice.randint(2, 3)):
        kind = choice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if not text.header or not text.rows or not all(text.rows):
            break  # nothing is left that could be bent
        kinds.append(kind)
        if kind in _MUTATIONS:
            _MUTATIONS[kind](text, taxi, choice)
    encoding = next((choice.choice(_ENCODINGS) for kind in kinds if kind == "encoding"), "utf-8")
    content = _encoded(text, encoding)
    for kind in kinds:
        if kind in _BYTE_MUTATIONS:
            content = _BYTE_MUTATIONS[kind](content, choice)
    return kinds[0] if len(kinds) == 1 else "several at once", content


_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "cp037", "utf-8-sig", "shift_jis", "utf-7")


def _encoded(text: CsvText, encoding: str) -> bytes:
    if encoding in ("cp1252", "latin-1") and text.rows:
        text.rows[len(text.rows) // 2][-1] = "é"
    try:
        return text.encoded(encoding)
    except UnicodeError:
        return text.encoded()


def _place(text: CsvText, taxi: StrictTaxi, choice: random.Random, *kinds: str) -> tuple[list[str], int, StrictColumn]:
    """A row, and the place and the column of one of its fields."""
    by_name = {column.name.lower(): column for column in taxi.columns}
    places = [
        (place, by_name[name.strip('" \ufeff').lower()])
        for place, name in enumerate(text.header)
        if name.strip('" \ufeff').lower() in by_name
    ]
    wanted = [(place, column) for place, column in places if not kinds or column.kind in kinds] or [
        (0, taxi.columns[0])
    ]
    row = choice.choice(text.rows)
    place, column = choice.choice(wanted)
    return row, min(place, len(row) - 1), column


def _odd_number(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice, "integer", "decimal")
    row[place] = choice.choice(ODD_NUMBERS)


def _made_number(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    """A number of random length: most are right to four decimals, some have one digit too many."""
    row, place, _ = _place(text, taxi, choice, "decimal")
    whole = choice.randrange(10 ** choice.randint(0, 11))
    decimals = choice.choice((0, 1, 2, 3, 4, 4, 5, 5, 6, 8, 12, 17))
    fraction = f".{choice.randrange(10**decimals):0{decimals}d}" if decimals else ""
    row[place] = f"{choice.choice(('', '', '-'))}{whole}{fraction}"


def _computed_number(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    """A sum of doubles, written with all its digits."""
    row, place, _ = _place(text, taxi, choice, "decimal")
    scale = 10 ** choice.randint(0, 9)
    row[place] = repr(sum(round(choice.uniform(-scale, scale), 2) for _ in range(choice.randint(2, 6))))


def _odd_timestamp(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice, "timestamp")
    row[place] = choice.choice(ODD_TIMESTAMPS)


def _odd_text(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice, "text")
    row[place] = choice.choice(ODD_TEXTS)


def _other_kind(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    row[place] = choice.choice(choice.choice((ODD_NUMBERS, ODD_TIMESTAMPS, ODD_TEXTS)))


def _many_odd(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    """The same oddity in every row of a column."""
    _, place, column = _place(text, taxi, choice)
    values = {"timestamp": ODD_TIMESTAMPS, "text": ODD_TEXTS}.get(column.kind, ODD_NUMBERS)
    value = choice.choice([value for value in values if len(value) < 1000])
    for row in text.rows:
        row[min(place, len(row) - 1)] = value


def _emptied(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    row[place] = ""


def _field_added(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    place = choice.choice((place, len(row)))
    row.insert(place, choice.choice(("", "", "1", "N", " ")))


def _field_removed(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    del row[choice.choice((place, -1))]


def _all_rows_longer(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    value = choice.choice(("", "", "0"))
    for row in text.rows:
        row.append(value)


def _one_longer_one_shorter(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    """Two faults that even out in the number of separators."""
    longer, shorter = choice.sample(text.rows * 2, 2)
    longer.insert(choice.randrange(len(longer) + 1), "")
    del shorter[choice.randrange(len(shorter))]


def _fields_swapped(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    other = choice.randrange(len(row))
    row[place], row[other] = row[other], row[place]


def _row_repeated(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    row = choice.choice(text.rows)
    for _number in range(choice.randint(1, 3)):
        text.rows.insert(choice.randrange(len(text.rows) + 1), list(row))


def _rows_removed(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    del text.rows[choice.choice((0, 1, len(text.rows) // 2, len(text.rows) - 1)) :]
    if not text.rows and choice.random() < 0.5:
        text.tail = ""


def _header_repeated(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    text.rows.insert(choice.randrange(len(text.rows) + 1), list(text.header))


def _junk_row(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    junk = (
        "Total: 55 rows",
        "# comment",
        "<!-- end -->",
        "--",
        "\x1a",
        "EOF",
        ",".join([""] * len(text.header)),
        " ",
        "\t",
    )
    text.rows.insert(choice.choice((0, len(text.rows), choice.randrange(len(text.rows) + 1))), [choice.choice(junk)])


def _blank_lines(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    for _number in range(choice.randint(1, 3)):
        text.rows.insert(choice.choice((0, len(text.rows), choice.randrange(len(text.rows) + 1))), [""])


def _line_ends(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    trick = choice.randrange(9)
    number = choice.randrange(len(text.rows)) if text.rows else -1
    if trick == 0:
        text.end = "\n"
    elif trick == 1:
        text.end = "\r"
    elif trick == 2:
        text.end = "\n"
        text.ends[number] = "\r\n"
    elif trick == 3:
        text.ends[number] = "\n"
    elif trick == 4:
        text.ends[number] = choice.choice(("\r", "\r\r\n", "\n\r", "\r\r", "\r\n\n", "\v", "\x85", "\u2028"))
    elif trick == 5:
        text.ends[-1] = choice.choice(("\n", "\r", "\r\r\n", "\n\n"))
    elif trick == 6:
        text.tail = choice.choice(("", "\r", "\n", "\r\n\r\n\n", "\r\n\r\n", "\n\n\n", "\r\n\x1a", "\r\n ", "\r\n\x00"))
    elif trick == 7:
        text.end = "\r\r\n"
    else:
        for row in range(len(text.rows)):
            text.ends[row] = choice.choice(("\n", "\r\n"))


def _quotes(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice)
    value = row[place]
    row[place] = choice.choice(
        (
            *(f'"{value}"', f'"{value}"', f'"{value}"x', f'"{value}" ', f' "{value}"', f'"{value}', f'{value}"'),
            *(f'"{value}""', f'""{value}"', f'"""{value}"""', f'"{value}\\"', f"'{value}'", f'{value}"{value}', '""'),
            *(
                f'"{value}\r\n"',
                f'"{value},"',
                f'"\n{value}"',
                '"',
                '"""',
                f'"{value}"\t',
                f'\t"{value}"',
                f'"{value} "',
            ),
        )
    )


def _quoted_text(text: CsvText, taxi: StrictTaxi, choice: random.Random) -> None:
    row, place, _ = _place(text, taxi, choice, "text")
    row[place] = choice.choice(
        ('"N,Y"', '"N""Y"', '"N\nY"', '"N\r\nY"', '"a\rb"', '""', '" "', '"N', 'N"', '"é"', 'a"b', '"a""')
    )


def _everything_quoted(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    if choice.random() < 0.5:
        text.header = [f'"{name}"' for name in text.header]
    for row in text.rows:
        row[:] = [f'"{value}"' for value in row]


def _header(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:  # noqa: PLR0912 - a trick each
    place = choice.randrange(len(text.header))
    name = text.header[place]
    match choice.choice(HEADER_TRICKS):
        case "rename":
            text.header[place] = choice.choice(("fare", f"{name}x", name[:-1], name.replace("_", " "), "\uff11"))
        case "repeat":
            text.header[place] = text.header[place - 1]
        case "drop":
            del text.header[place]
        case "add":
            text.header.insert(place, choice.choice(("", "extra_column", name)))
        case "swap":
            other = choice.randrange(len(text.header))
            text.header[place], text.header[other] = text.header[other], text.header[place]
        case "case":
            text.header = [choice.choice((each.upper(), each.lower(), each)) for each in text.header]
        case "quotes":
            text.header[place] = choice.choice((f'"{name}"', f'"{name}', f'"{name}"x', f"'{name}'"))
        case "blanks":
            text.header[place] = choice.choice((f" {name}", f"{name} ", f"{name}\t", f'" {name}"', f"{name}\u00a0"))
        case "mark":
            text.start = choice.choice(("\ufeff", "\ufeff\ufeff", "\n", "\r\n", " ", "sep=,\r\n", "# trips\r\n"))
        case "empty":
            text.header = []
        case "twice":
            text.start = ",".join(text.header) + text.end
        case "order":
            order = choice.sample(range(len(text.header)), len(text.header))
            text.header = [text.header[number] for number in order]
            for row in text.rows:
                row[:] = [row[number] if number < len(row) else "" for number in order]


def _long_row(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    length = choice.choice((5_000, 30_000, 66_000, 140_000, 1_000_000, 3_000_000))
    fill = choice.choice(("1,", "1", "a", ","))
    text.rows.insert(choice.randrange(len(text.rows) + 1), [(fill * length)[:length]])


def _leap_separators(text: CsvText, _: StrictTaxi, choice: random.Random) -> None:
    separator = choice.choice((";", "\t", "|", ", ", "، ", ",,"))
    text.header = [separator.join(text.header)] if choice.random() < 0.7 else text.header
    for row in text.rows:
        row[:] = [separator.join(row)]


def _flipped_bits(content: bytes, choice: random.Random) -> bytes:
    bent = bytearray(content)
    for _ in range(choice.choice((1, 1, 1, 2, 5, 20))):
        bent[choice.randrange(len(bent))] ^= 1 << choice.randrange(8)
    return bytes(bent)


def _odd_bytes(content: bytes, choice: random.Random) -> bytes:
    place = choice.randrange(len(content) + 1)
    odd = (
        b"\x00",
        b"\xff",
        b"\xc0\x80",
        b"\xe9",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xef\xbb\xbf",
        b"\x1a",
        b'"',
        b"\r",
    )
    piece = choice.choice((*odd, b"\n", b",", b"\t", b" ", b"\xc3", b"\xff\xfe", b"\x00" * 50))
    return content[:place] + piece + content[place + choice.choice((0, 0, 1)) :]


def _bytes_removed(content: bytes, choice: random.Random) -> bytes:
    place = choice.randrange(len(content))
    return content[:place] + content[place + choice.choice((1, 1, 2, 10, 200)) :]


def _bytes_repeated(content: bytes, choice: random.Random) -> bytes:
    place = choice.randrange(len(content))
    piece = content[place : place + choice.choice((1, 3, 50, 500))]
    return content[:place] + piece + content[place:]


def _cut(content: bytes, choice: random.Random) -> bytes:
    return content[: choice.randrange(len(content))]


_MUTATIONS: dict[str, Mutation] = {
    "odd number": _odd_number,
    "number of random length": _made_number,
    "computed number": _computed_number,
    "odd timestamp": _odd_timestamp,
    "odd text": _odd_text,
    "value of another kind": _other_kind,
    "the same oddity in every row": _many_odd,
    "field emptied": _emptied,
    "field added": _field_added,
    "field removed": _field_removed,
    "a field more in every row": _all_rows_longer,
    "one row longer, one shorter": _one_longer_one_shorter,
    "fields swapped": _fields_swapped,
    "row repeated": _row_repeated,
    "rows removed": _rows_removed,
    "header repeated": _header_repeated,
    "a line of something else": _junk_row,
    "blank lines": _blank_lines,
    "line ends": _line_ends,
    "quotes": _quotes,
    "quoted text": _quoted_text,
    "everything quoted": _everything_quoted,
    "header": _header,
    "long line": _long_row,
    "other separator": _leap_separators,
}
_BYTE_MUTATIONS: dict[str, ByteMutation] = {
    "bits flipped": _flipped_bits,
    "odd bytes": _odd_bytes,
    "bytes removed": _bytes_removed,
    "bytes repeated": _bytes_repeated,
    "cut off": _cut,
}
_WEIGHTS: dict[str, int] = {
    **dict.fromkeys([*_MUTATIONS, *_BYTE_MUTATIONS, "encoding", "none"], 3),
    "odd number": 16,
    "odd timestamp": 8,
    "odd text": 8,
    "line ends": 8,
    "quotes": 8,
    "header": 8,
    "bits flipped": 8,
    "number of random length": 8,
    "computed number": 5,
    "odd bytes": 6,
    "long line": 2,
    "none": 1,
}
