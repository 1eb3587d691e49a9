"""What the text of one value must be like so that its column holds it unchanged: the strict judge of all formats.

DuckDB and BigQuery judge values by the same rules while they read them, faster, and without saying which value it was.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from taxi_assets.taxis import Column, Kind
from taxi_assets.trips.columns import ROUNDING_ERROR

_NUMBER = re.compile(r" *+[+-]?(\d++\.?\d*+|\.\d++)(?:[eE]([+-]?\d++))? *+", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
# The control characters, and what stands for bytes that are not UTF-8.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_INTEGER_LIMIT: Final = 2**31
_LIMITS: Final[dict[Kind, int]] = {"integer": 2 * _INTEGER_LIMIT, "decimal": 10**10}
_FOUR_DECIMALS: Final = Decimal("0.0001")
_LONGEST_EXPONENT: Final = 3
_SHOWN: Final = 60

_DAY: Final = (
    r"(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
ORDINARY_TEXTS: Final[dict[Kind, str]] = {
    "integer": r"-?[0-9]{1,9}+(?:\.0*+)?",
    "decimal": r"-?(?:[0-9]{1,10}+(?:\.[0-9]{0,4}+0*+)?|\.[0-9]{1,4}+0*+)",
    "timestamp": _DAY + r" (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
    "text": r"[ !#-+\--~]++",
}
"""Patterns for most of the values that are all right, by which a million of them are judged in a second or two; a value
that doesn't match is looked at by itself. They match no quotes and no commas."""


def fault_of(column: Column, text: str) -> str | None:
    """What is wrong with the text of a value, as the end of a sentence about it, or None.

    Args:
        column: What the value should be.
        text: Its text; a byte that is not UTF-8 is a lone surrogate. An empty text is null and not a fault.
    """
    if text == "":
        return None
    match column.kind:
        case "integer" | "decimal":
            return _number_fault(column, text)
        case "timestamp":
            return _timestamp_fault(text)
        case "text":
            return "is not readable text" if _NOT_TEXT.search(text) else None


def printable(text: str) -> str:
    """The text as a message shows it: its beginning if it is long, and escapes for what can't be seen."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:_SHOWN])
    return shown if len(text) <= _SHOWN else shown + "…"


def _number_fault(column: Column, text: str) -> str | None:
    parts = _NUMBER.fullmatch(text)
    if parts is None:
        return "is not a number"
    digits, exponent = parts[1].replace(".", "").strip("0"), (parts[2] or "").lstrip("+-0")
    # Arithmetic with a longer exponent may overflow.
    number = None if len(exponent) > _LONGEST_EXPONENT else Decimal(text.strip(" "))
    if number is None or number.copy_abs() >= _LIMITS[column.kind]:
        return "is out of range"
    if column.kind == "integer":
        return _integer_fault(number)
    rounded = number.quantize(_FOUR_DECIMALS)
    was_computed = len(digits) <= ROUNDING_ERROR.digits and _is_near(float(text), float(rounded))
    return None if number == rounded or was_computed else "has more than four decimals"


def _integer_fault(number: Decimal) -> str | None:
    if number != number.to_integral_value():
        return "is not a whole number"
    return None if -_INTEGER_LIMIT <= number < _INTEGER_LIMIT else "is out of range"


def _is_near(number: float, rounded: float) -> bool:
    # A number that is too small for a double is near to zero without being it.
    error = abs(number - rounded) if rounded else abs(number) + 1
    return abs(number) < ROUNDING_ERROR.limit and error <= ROUNDING_ERROR.part * abs(number)


def _timestamp_fault(text: str) -> str | None:
    if not _TIMESTAMP.fullmatch(text):
        return "is not a date and time like 2020-10-01 00:31:19"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return "is not a date and time that exists"
    return None
