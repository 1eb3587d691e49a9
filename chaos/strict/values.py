"""The values that a field's text stands for, by the documented rules.

An ``integer`` has 32 bits, a ``decimal`` ten digits before the point and four after it, a ``timestamp`` is written as
2020-10-01 00:31:19 and exists, a ``text`` is text. What a computed double is off by in its last digits is no part of a
number. Some spellings are unambiguous but not documented: they may be loaded exactly, or refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

Value = int | Decimal | datetime | str | None

INTEGER_LIMIT = 2**31
DECIMAL_LIMIT = Decimal(10**10)
DECIMALS = 4
# What a sum of a few doubles is off by, and far less than the fourth decimal.
_LAST_PLACES = 8
_LARGEST_NOISE = Decimal("0.000002")
_LONGEST_EXPONENT = 6

_PLAIN_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_NUMBER = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?([0-9]+))? *")
_TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True)
class Meaning:
    """What a field stands for.

    Attributes:
        value: Its value, where it has one.
        fault: What is wrong with it, or empty.
        must_refuse: Whether it has no value at all, so that a file with it must not be loaded.
    """

    value: Value = None
    fault: str = ""
    must_refuse: bool = False


def meaning(kind: str, text: str) -> Meaning:
    """What a field of that kind of column stands for."""
    if text == "":
        return Meaning()
    match kind:
        case "integer" | "decimal":
            return _number(kind, text)
        case "timestamp":
            return _timestamp(text)
        case "text":
            return _text(text)
        case _:
            raise ValueError(kind)


def decimal_meaning(number: Decimal, *, is_computed: bool) -> Meaning:
    """What an exact number stands for in a decimal column.

    Args:
        number: The number.
        is_computed: Whether it may be a double that is off in its last digits.
    """
    if abs(number) >= DECIMAL_LIMIT:
        return _refused("is out of range")
    with localcontext() as context:
        context.prec = 1200
        rounded = number.quantize(Decimal(1).scaleb(-DECIMALS))
        difference = abs(number - rounded)
    if difference == 0:
        return Meaning(rounded)
    noise = min(_LAST_PLACES * Decimal(math.ulp(float(number))), _LARGEST_NOISE)
    if is_computed and difference <= noise and 0 < abs(rounded) < DECIMAL_LIMIT:
        return Meaning(rounded, "is off in the last digits of a double")
    return _refused("has more than four decimals")


def integer_meaning(number: Decimal) -> Meaning:
    """What an exact number stands for in an integer column."""
    if number != number.to_integral_value():
        return _refused("is not whole")
    if not -INTEGER_LIMIT <= number < INTEGER_LIMIT:
        return _refused("is out of range")
    return Meaning(int(number))


def _number(kind: str, text: str) -> Meaning:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _refused("is not a number")
    if match[3] is not None and len(match[3].lstrip("0")) > _LONGEST_EXPONENT:
        return _refused("has an exponent without end")
    with localcontext() as context:
        context.prec = max(len(text), 28)
        number = Decimal(text.strip())
        if number.adjusted() > 400 or number.adjusted() < -400:
            found = Meaning(Decimal(0)) if number == 0 else _refused("is out of range")
        elif kind == "integer":
            found = integer_meaning(number)
        else:
            found = decimal_meaning(number, is_computed=True)
    if found.must_refuse:
        return found
    value = int(found.value) if kind == "integer" and isinstance(found.value, Decimal) else found.value
    is_usual = _PLAIN_NUMBER.fullmatch(text) and not found.fault
    return Meaning(value, found.fault or ("" if is_usual else "is written unusually"))


def _timestamp(text: str) -> Meaning:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        stripped = text.strip(" ")
        if stripped != text and _TIMESTAMP.fullmatch(stripped):
            inner = _timestamp(stripped)
            return inner if inner.must_refuse else Meaning(inner.value, "has a blank beside it")
        return _refused("is not a date and time")
    try:
        return Meaning(datetime(*(int(part) for part in match.groups())))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return _refused("is a date or time that does not exist")


def _text(text: str) -> Meaning:
    if "\0" in text:
        return _refused("holds a NUL")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return _refused("is not UTF-8")
    return Meaning(text, "" if text.isprintable() else "holds letters that can't be shown")


def _refused(fault: str) -> Meaning:
    return Meaning(None, fault, must_refuse=True)
