"""Whether what arrived is a whole Parquet file of the feed, with the columns of the definition and types that fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.files import RawFile
from taxi_assets.source.header import defined_names
from taxi_assets.source.verify import Contents, damaged, is_web_page, require_size
from taxi_assets.taxis import Column, Kind

_MAGIC: Final = b"PAR1"


def verify_parquet(path: Path, file: RawFile, *, source: str, announced_size: int | None) -> Contents:
    """Say what a Parquet file holds, by its footer; its rows are read when they are loaded.

    A column may be missing if only the feed has it, may be spelt in any case, and may have any type from which its
    values can come unchanged; one that holds nothing may be of no type. Columns that the definition doesn't know are
    counted.

    Args:
        path: Where the bytes are.
        file: What they should be.
        source: Name of the source, for messages.
        announced_size: Length that the source stated, in bytes.

    Raises:
        DamagedFileError: The bytes are not a whole Parquet file.
        UnexpectedContentError: Columns are missing, there twice or of another type, or there is no row.
        OSError: ``path`` can't be read.
    """
    where = f"{file.name} from {source}"
    size = require_size(path, where, announced_size)
    _require_both_ends(path, where)
    try:
        with pq.ParquetFile(path) as parquet:
            metadata, schema = parquet.metadata, parquet.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise damaged(where, "has no Parquet footer that can be read") from error
    if metadata.num_rows == 0:
        raise UnexpectedContentError(
            f"{where} holds columns but no rows: nothing of it was kept, choose another month or source."
        )
    names = _known_names(schema, file, where)
    unknown = [name for name in schema.names if name not in names]
    return Contents(
        size=size,
        sha256=_sha256(path),
        csv_size=None,
        rows=metadata.num_rows,
        header=tuple(names.values()),
        # Nothing separates the fields of a row here that a reader could misread.
        is_plain=True,
        unknown_columns=_counted_values(metadata, unknown),
    )


def _require_both_ends(path: Path, where: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(256)
        stream.seek(-min(len(_MAGIC), path.stat().st_size), 2)
        end = stream.read()
    if is_web_page(start):
        raise damaged(where, "is a web page, not a Parquet file")
    if not start.startswith(_MAGIC):
        raise damaged(where, "is not a Parquet file")
    if end != _MAGIC:
        raise damaged(where, "is truncated, as it does not end as a Parquet file does")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _known_names(schema: pa.Schema, file: RawFile, where: str) -> Mapping[str, str]:
    """The definition's name of each column that it knows, by the file's name, in the order of the file.

    Raises:
        UnexpectedContentError: Columns are missing, there twice or of a type that can't hold such values.
    """
    columns = {column.name.lower(): column for column in file.columns}
    found = [(field.type, columns[field.name.lower()]) for field in schema if field.name.lower() in columns]
    misfits = [
        f"{column.name} ({type_} instead of {_A_KIND[column.kind]})"
        for type_, column in found
        if not _fits(type_, column)
    ]
    return defined_names(schema.names, file, where, misfits=misfits)


_A_KIND: Final[Mapping[Kind, str]] = {
    "integer": "a number",
    "decimal": "a number",
    "timestamp": "a date and time without a time zone",
    "text": "text",
}


def _fits(type_: pa.DataType, column: Column) -> bool:
    if types.is_null(type_):
        return True
    if types.is_dictionary(type_):
        type_ = type_.value_type
    match column.kind:
        case "integer" | "decimal":
            return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))
        case "timestamp":
            return bool(types.is_timestamp(type_) and type_.tz is None)
        case "text":
            return bool(types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_))


def _counted_values(metadata: pq.FileMetaData, names: Sequence[str]) -> Mapping[str, int]:
    """How many values there are in each of these columns, as far as the footer tells nulls from values."""
    values: Counter[str] = Counter(dict.fromkeys(names, 0))
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        in_group: Counter[str] = Counter()
        for place in range(group.num_columns):
            chunk = group.column(place)
            name = chunk.path_in_schema.partition(".")[0]
            if name in values:
                knows_nulls = chunk.is_stats_set and chunk.statistics.has_null_count
                nulls = chunk.statistics.null_count if knows_nulls else 0
                # Of a nested column's parts, the one with the most values counts.
                in_group[name] = max(in_group[name], chunk.num_values - nulls)
        values.update(in_group)
    return dict(values)
