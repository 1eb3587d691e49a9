"""The columns of the external table over a landed raw file."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.bigquery.arrow_types import type_name


def raw_columns(taxi: Taxi, landed: LandedFile) -> Sequence[tuple[str, str]]:
    """Name and type of each column, in the order of the file.

    The fields of a CSV are text, because a reader that casts would turn a bad value into null. The columns of a Parquet
    file have the types as which BigQuery reads them. Unknown columns whose type it can't read are left out.

    Raises:
        OSError: The file can't be read.
        UnexpectedContentError: A column of the taxi has times in nanoseconds, which BigQuery does not read.
    """
    if not landed.is_parquet:
        return [(name, "STRING") for name in landed.header]
    import pyarrow.parquet as pq  # noqa: PLC0415 - only files of the feed need it

    with pq.ParquetFile(landed.path) as file:
        fields, stored = file.schema_arrow, [file.schema.column(number) for number in range(len(file.schema))]
    # The older times of Parquet, INT96, count nanoseconds too, and are read.
    of_old = {column.path for column in stored if column.physical_type == "INT96"}
    unreadable = [field.name for field in fields if _counts_nanoseconds(field.type) and field.name not in of_old]
    known = {column.name.lower() for column in taxi.columns}
    for name in unreadable:
        if name.lower() in known:
            raise UnexpectedContentError(
                f"{landed.path.name} has times in nanoseconds in column {name}, which BigQuery does not read: nothing "
                "was loaded; load the month into another warehouse, or from another source with TAXI_SOURCE."
            )
    types = [(field.name, _type_name(field.type)) for field in fields if field.name not in unreadable]
    return [(name, type_) for name, type_ in types if type_ is not None]


def _counts_nanoseconds(type_: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type_) and type_.unit == "ns")


def _type_name(type_: pa.DataType) -> str | None:
    # A column without a type is written to Parquet as integers that are all null. A timestamp without a time zone is
    # read as UTC, which returns the same date and time.
    return type_name(type_, null="INT64", timestamp="TIMESTAMP")
