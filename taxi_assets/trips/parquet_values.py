"""The values of a landed Parquet file that can't be held as they are, by row, column and value.

pyarrow reads them: unlike DuckDB, it gives values that are out of any range as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from taxi_assets.errors import DamagedFileError
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.taxis import Column
from taxi_assets.trips.values import fault_of, printable

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS: Final = 65_536
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NAMES_OF_TICKS: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_SECOND: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def find_parquet_problems(landed: LandedFile, columns: Sequence[Column]) -> Iterator[str]:
    """Yield each problem of the file as a phrase, column by column and in the order of its rows.

    Rows are counted from one.

    Raises:
        DamagedFileError: Values can't be read.
    """
    import pyarrow as pa  # noqa: PLC0415 - only files of the feed need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    for column in columns:
        row = 1
        try:
            with pq.ParquetFile(landed.path) as file:
                name = next(name for name in file.schema_arrow.names if name.lower() == column.name.lower())
                for batch in file.iter_batches(_BATCH_ROWS, columns=[name]):
                    for place, text, fault in _faults(column, batch.column(0)):
                        yield f"row {row + place:,}, column {column.name}: “{printable(text)}” {fault}"
                    row += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise damaged(landed, f"column {column.name} from row {row:,} on", error) from error


def damaged(landed: LandedFile, what: str, error: Exception) -> DamagedFileError:
    """The error about a Parquet file of which ``what`` can't be read."""
    cause = str(error).strip().partition("\n")[0]
    return DamagedFileError(
        f"{landed.path} is damaged, as {what} can't be read ({cause}): fetch it again, and if it happens again "
        "choose another source with TAXI_SOURCE."
    )


def _faults(column: Column, values: pa.Array) -> Iterator[tuple[int, str, str]]:
    """Place, text and fault of each value that is at fault."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_timestamp(values.type):
        yield from _faults_of_moments(column, values)
    elif any(fault_of(column, text) for text in _texts(values.unique())):
        for place, text in enumerate(_texts(values)):
            if fault := fault_of(column, text):
                yield place, text, fault


def _faults_of_moments(column: Column, values: pa.Array) -> Iterator[tuple[int, str, str]]:
    import pyarrow as pa  # noqa: PLC0415

    unit = values.type.unit
    in_second = _TICKS[unit]
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    seconds = ticks // in_second
    in_range = (seconds >= _FIRST_SECOND) & (seconds <= _LAST_SECOND)
    for found in (~in_range | (ticks % in_second != 0)).nonzero()[0]:
        place = int(found)
        if not in_range[place]:
            yield place, f"{ticks[place]} {_NAMES_OF_TICKS[unit]} since 1970", "is out of range"
            continue
        moment = _EPOCH + timedelta(seconds=int(seconds[place]))
        part = str(int(ticks[place]) % in_second).rjust(len(str(in_second)) - 1, "0").rstrip("0")
        text = f"{moment.replace(tzinfo=None).isoformat(' ')}.{part}"
        yield place, text, fault_of(column, text) or "is not a whole second"


def _texts(values: pa.Array) -> Iterator[str]:
    """The text of each value as a CSV would have it; nothing for null."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_float16(values.type):
        values = values.cast(pa.float32())
    # A number of 32 bits stands for what it is, and not for the shortest text that is rounded to it.
    if types.is_float32(values.type):
        values = values.cast(pa.float64())
    if types.is_string(values.type) or types.is_large_string(values.type) or types.is_string_view(values.type):
        # Bytes, since what is not UTF-8 is to be shown too.
        values = values.cast(pa.large_binary())
    return map(_text, values.to_pylist())


def _text(value: float | Decimal | bytes | None) -> str:
    match value:
        case None:
            return ""
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)
