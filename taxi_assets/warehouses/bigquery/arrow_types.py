"""BigQuery's types for those of Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

_Test = Callable[[pa.DataType], bool]
_TYPE_NAMES: Final[Sequence[tuple[_Test, str]]] = (
    (pa.types.is_boolean, "BOOL"),
    (pa.types.is_integer, "INT64"),
    (pa.types.is_floating, "FLOAT64"),
    (pa.types.is_decimal, "NUMERIC"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_large_string, "STRING"),
    (pa.types.is_string_view, "STRING"),
    (pa.types.is_binary, "BYTES"),
    (pa.types.is_large_binary, "BYTES"),
)


def type_name(type_: pa.DataType, *, null: str, timestamp: str) -> str | None:
    """The type as it is named in BigQuery's SQL; None if there is no such type.

    Args:
        type_: The type of a column of Arrow's.
        null: The name for a column without a type, whose values are all null.
        timestamp: The name for a timestamp without a time zone; one with a time zone is a TIMESTAMP.
    """
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_null(type_):
        return null
    if pa.types.is_timestamp(type_):
        return timestamp if type_.tz is None else "TIMESTAMP"
    return next((name for fits, name in _TYPE_NAMES if fits(type_)), None)
