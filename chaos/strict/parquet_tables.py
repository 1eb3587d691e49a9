"""What the columns of a Parquet file hold, read by two libraries that share no code with the warehouses.

A damaged file can end the process that reads it, so it is read in a process of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Cell = int | float | str | bytes | object | None

MOST_ROWS = 100_000
"""Files have some hundred rows here; a footer that says more than this is damaged."""


@dataclass(frozen=True)
class StrictTable:
    """What one library reads.

    Attributes:
        names: Names of the columns, in the order of the file.
        types: Type of each, as the library calls it.
        columns: The values of each: timestamps as whole numbers in their unit, text that is not UTF-8 as bytes.
        faults: Why a column could not be read, by its place.
    """

    names: Sequence[str]
    types: Sequence[str]
    columns: Sequence[Sequence[Cell]]
    faults: dict[int, str]


class UnreadableError(Exception):
    """The file as a whole can't be read."""


def read_by_arrow(path: Path) -> StrictTable:
    """Read with Apache Arrow, and compare each page with its checksum where it has one.

    Raises:
        UnreadableError: The file as a whole can't be read.
    """
    import pyarrow as pa  # noqa: PLC0415 - imported in the process that reads
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path, page_checksum_verification=True, coerce_int96_timestamp_unit="us") as parquet:
            rows = parquet.metadata.num_rows
            if rows > MOST_ROWS:
                raise UnreadableError("more rows than its bytes can hold")  # noqa: TRY301 - as all that is wrong with it
            schema = parquet.schema_arrow
            columns, faults = [], {}
            for place, field in enumerate(schema):
                try:
                    columns.append(_arrow_values(_one_column(parquet, schema, place), field.type))
                    if len(columns[-1]) != rows:
                        faults[place] = "has another number of values than the file has rows"
                except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
                    columns.append([])
                    faults[place] = str(error)[:200]
            return StrictTable(schema.names, [str(field.type) for field in schema], columns, faults)
    except UnreadableError:
        raise
    except Exception as error:  # whatever it is, the file can't be read
        raise UnreadableError(f"{type(error).__name__}: {str(error)[:200]}") from error


def _one_column(parquet: Any, schema: Any, place: int) -> Any:
    """One column, by its place, as two may have the same name."""
    name = schema.names[place]
    if schema.names.count(name) == 1:
        return parquet.read(columns=[name]).column(0)
    return parquet.read().column(place)


def _arrow_values(column: Any, type_: Any) -> Sequence[Cell]:
    import pyarrow as pa  # noqa: PLC0415

    # Reading does not look at everything that a value promises; this does.
    column.validate(full=False)
    if pa.types.is_dictionary(type_):
        return _arrow_values(column.cast(type_.value_type), type_.value_type)
    if pa.types.is_timestamp(type_):
        return list(column.cast(pa.int64()).to_pylist())
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        binary = pa.large_binary() if pa.types.is_large_string(type_) else pa.binary()
        if pa.types.is_string_view(type_):
            column = column.cast(pa.string())
        return [_decoded(value) for value in column.cast(binary).to_pylist()]
    return list(column.to_pylist())


def _decoded(value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def read_by_polars(path: Path) -> StrictTable:
    """Read with Polars.

    Raises:
        UnreadableError: The file as a whole can't be read.
    """
    import polars as pl  # noqa: PLC0415 - imported in the process that reads

    try:
        frame = pl.read_parquet(path, use_statistics=False)
    except BaseException as error:
        raise UnreadableError(f"{type(error).__name__}: {str(error)[:200]}") from None
    columns = [
        list(series.to_physical().to_list() if series.dtype.is_temporal() else series.to_list())
        for series in frame.get_columns()
    ]
    return StrictTable(frame.columns, [str(dtype) for dtype in frame.dtypes], columns, {})


def same_values(one: StrictTable, other: StrictTable) -> bool:
    """Whether two libraries read the same, as far as both read it."""
    if list(one.names) != list(other.names):
        return False
    pairs = zip(one.columns, other.columns, strict=True)
    return all(
        len(a) == len(b) and all(_is_same(x, y) for x, y in zip(a, b, strict=True))
        for place, (a, b) in enumerate(pairs)
        if place not in one.faults
    )


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


READERS: dict[str, Callable[[Path], StrictTable]] = {"arrow": read_by_arrow, "polars": read_by_polars}
