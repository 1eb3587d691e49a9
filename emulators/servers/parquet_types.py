"""Which physical types of Parquet BigQuery reads as a column of a declared type; it converts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# A column without a type is stored as integers that are all null.
_INTEGERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", '"NULL"')
_READ_AS: Final[Mapping[str, Sequence[str]]] = {
    "INT64": _INTEGERS,
    "INTEGER": _INTEGERS,
    "FLOAT64": ("FLOAT", "DOUBLE"),
    "FLOAT": ("FLOAT", "DOUBLE"),
    "NUMERIC": ("DECIMAL",),
    "BOOL": ("BOOLEAN",),
    "BOOLEAN": ("BOOLEAN",),
    "STRING": ("VARCHAR",),
    "BYTES": ("BLOB", "VARCHAR"),
    "DATE": ("DATE",),
    "DATETIME": ("TIMESTAMP",),
    "TIMESTAMP": ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
}
"""The types of files, as DuckDB names them. Nanoseconds, ``TIMESTAMP_NS``, are in no line."""


def mismatch(cursor: Any, reader: str, declared: Mapping[str, str]) -> str | None:
    """What BigQuery says about files whose columns don't have the declared types; None if they have.

    Args:
        cursor: A connection to DuckDB.
        reader: DuckDB's expression that reads the files.
        declared: BigQuery's types by the names of the columns.
    """
    described = cursor.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()
    found = {name.lower(): type_ for name, type_, *_ in described}
    for name, type_ in declared.items():
        physical = found.get(name.lower())
        fitting = _READ_AS.get(type_.upper().partition("(")[0])
        if physical is not None and fitting is not None and physical.partition("(")[0] not in fitting:
            return (
                f"Error while reading data, error message: Parquet column '{name}' has type {physical} "
                f"which does not match the target type {type_}."
            )
    return None
