"""How DuckDB holds each kind of column, and the expressions by which values are typed strictly and enter an id."""

from __future__ import annotations

from typing import Final, Literal

from taxi_assets.sql import identifier
from taxi_assets.taxis import Column, Kind

COLUMN_TYPES: Final[dict[Kind, str]] = {
    "integer": "INTEGER",
    "decimal": "DECIMAL(14, 4)",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
}
"""DuckDB's type of each kind of column. Fourteen digits is what a DOUBLE, through which numbers are read, keeps."""

READER_TYPES: Final[dict[Kind, str]] = {
    "integer": "DOUBLE",
    "decimal": "DOUBLE",
    "timestamp": "VARCHAR",
    "text": "VARCHAR",
}
"""How a CSV's fields are read before they are typed."""


NOISE: Final = 1e-13
"""Part of a number by which a double may be off that was computed: 0.1 + 0.2 is written as 0.30000000000000004.

A double keeps fifteen digits of a decimal number, and each addition may change the sixteenth.
"""


def id_text(column: Column) -> str:
    """SQL for the text with which a value enters a trip's id: ``5``, ``0.79``, ``-83.53``, a timestamp as written."""
    name = identifier(column.name)
    match column.kind:
        case "decimal":
            whole = f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
            return f"CASE WHEN {name} = trunc({name}) THEN {whole} ELSE rtrim(CAST({name} AS VARCHAR), '0') END"
        case "timestamp":
            return as_written(column)
        case "integer" | "text":
            return name


def as_written(column: Column) -> str:
    """SQL's name for the text of a value that has a type by now."""
    return identifier(f"{column.name} as written")


def is_unchanged_in_csv(column: Column) -> str:
    """SQL that tells whether a value's final type holds what the file says; an empty field is unchanged."""
    name = text_in_csv(column)
    typed = f"CAST({name} AS {COLUMN_TYPES[column.kind]})"
    if column.kind == "timestamp":
        return f"coalesce(CAST({typed} AS VARCHAR) = {name} AND strlen({name}) = 19, true)"
    return _is_same_number(f"CAST({typed} AS DOUBLE)", name, column)


def is_unchanged_in_parquet(column: Column, *, cast: Literal["CAST", "TRY_CAST"] = "CAST") -> str:
    """SQL that tells the same of a Parquet file's value, which has a type already, and one that may be finer.

    With ``TRY_CAST``, a value that the final type can't hold at all is distinct too, instead of an error.
    """
    typed = f"{cast}({identifier(column.name)} AS {COLUMN_TYPES[column.kind]})"
    name = identifier(column.name)
    if column.kind == "timestamp":
        return f"{typed} IS NOT DISTINCT FROM {name} AND coalesce(strlen(CAST({typed} AS VARCHAR)) = 19, true)"
    return _is_same_number(typed, name, column)


def _is_same_number(typed: str, name: str, column: Column) -> str:
    # DuckDB compares the two in the wider type.
    is_equal = f"{typed} IS NOT DISTINCT FROM {name}"
    if column.kind == "integer":
        return is_equal
    difference = f"abs(CAST({typed} AS DOUBLE) - CAST({name} AS DOUBLE))"
    is_noise = f"typeof({name}) = 'DOUBLE' AND {difference} <= {NOISE} * abs({name})"
    # CASE looks for noise in those numbers only that differ.
    return f"CASE WHEN {is_equal} THEN true ELSE {is_noise} END"


def text_in_csv(column: Column) -> str:
    """SQL for a field's text in a CSV, where it was read as text."""
    return identifier(column.name)


def text_in_parquet(column: Column) -> str:
    """SQL for the text that stands for a Parquet file's value."""
    return f"CAST(CAST({identifier(column.name)} AS {COLUMN_TYPES[column.kind]}) AS VARCHAR)"
