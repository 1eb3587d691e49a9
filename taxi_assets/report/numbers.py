"""Numbers as the report writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_MINUS: Final = "\N{MINUS SIGN}"


def written(number: float | Decimal, form: str) -> str:
    """The number in that form of Python's, such as ``,.2f``, with a real minus sign."""
    return format(number, form).replace("-", _MINUS)
