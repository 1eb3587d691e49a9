"""The columns of the external table over a landed raw file."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from taxi_assets.source.raw_files import LandedFile
from taxi_assets.warehouses.bigquery.arrow_types import type_name


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
    return [(name, type_) for name, type_ in fields if type_ is not None]


def _type_name(type_: pa.DataType) -> str | None:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    # A column without a type is written to Parquet as integers that are all null. A timestamp without a time zone is
    # read as UTC, which returns the same date and time.
    return type_name(type_, null="INT64", timestamp="TIMESTAMP")
