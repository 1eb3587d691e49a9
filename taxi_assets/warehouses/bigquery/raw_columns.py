"""The columns of the external table over a landed raw file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from taxi_assets.source.files import LandedFile


def raw_columns(landed: LandedFile) -> Sequence[tuple[str, str]]:
    """Name and type of each column, in the order of the file.

    The fields of a CSV are text, because a reader that casts would turn a bad value into null. The columns of a Parquet
    file have the types as which BigQuery reads them. Unknown columns with a nested type are left out.

    Raises:
        OSError: The file can't be read.
    """
    if not landed.is_parquet:
        return [(name, "STRING") for name in landed.header]
    import pyarrow.parquet as pq  # noqa: PLC0415 - only files of the feed need it

    fields = [(field.name, _type_name(field.type)) for field in pq.read_schema(landed.path)]
    return [(name, type_name) for name, type_name in fields if type_name is not None]


def _type_name(type_: pa.DataType) -> str | None:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return next((name for fits, name in _TYPE_NAMES if fits(type_)), None)


_Test = Callable[[pa.DataType], bool]
_TYPE_NAMES: Final[Sequence[tuple[_Test, str]]] = (
    (pa.types.is_boolean, "BOOL"),
    # A column without a type is written to Parquet as integers that are all null.
    (pa.types.is_null, "INT64"),
    (pa.types.is_integer, "INT64"),
    (pa.types.is_floating, "FLOAT64"),
    (pa.types.is_decimal, "NUMERIC"),
    (pa.types.is_date, "DATE"),
    # Without a time zone it is read as UTC, which returns the same date and time.
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_large_string, "STRING"),
    (pa.types.is_string_view, "STRING"),
    (pa.types.is_binary, "BYTES"),
)
