"""How DuckDB holds each kind of column, and the expressions by which values are typed strictly and enter an id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from taxi_assets.sql import identifier, literal
from taxi_assets.taxis import Column, Kind


class TableDefinition(Protocol):
    """What a file is read by: a taxi, or the zones."""

    @property
    def table(self) -> str:
        """Name of the table that the rows are for."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table's columns, those of the file among them."""


def file_columns(definition: TableDefinition, header: tuple[str, ...]) -> list[Column]:
    """The columns of a file by the names in its header."""
    by_name = {column.name: column for column in definition.columns}
    return [by_name[name] for name in header]


COLUMN_TYPES: Final[dict[Kind, str]] = {
    "integer": "INTEGER",
    "decimal": "DECIMAL(14, 4)",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
}
"""DuckDB's type of each kind of column. Fourteen digits are fewer than the fifteen that a DOUBLE, through which numbers
are read, keeps of any number."""

READER_TYPES: Final[dict[Kind, str]] = {
    "integer": "DOUBLE",
    "decimal": "DOUBLE",
    "timestamp": "VARCHAR",
    "text": "VARCHAR",
}
"""How a CSV's fields are read before they are typed."""


@dataclass(frozen=True)
class RoundingError:
    """What a decimal number may be off by because it was computed: 0.1 + 0.2 is written as 0.30000000000000004.

    Such a number stands for the one with four decimals beside it. It is a double whose last digits are off, so it is
    below ``limit``, off by no more than ``part`` of itself, which is less than a billionth, and written with no more
    than ``digits`` digits. What is written with up to fifteen digits is never taken for another number, since two such
    numbers are further apart than that.

    The rule is the same for every format and every reader: Python, DuckDB and BigQuery evaluate it on doubles.

    Attributes:
        part: The largest error as a part of the number: three units in the last place of a double or a few more.
        limit: The number from which on no error is allowed.
        digits: How many digits a double is written with at most, from the first that isn't zero to the last that isn't.
    """

    part: float = 3 * 2.0**-52
    limit: int = 1_000_000
    digits: int = 17


ROUNDING_ERROR: Final = RoundingError()
"""The one rule for numbers that were computed."""

NOT_TEXT: Final = r"\p{Cc}"
"""Regular expression for the control characters, which not every warehouse keeps as they are."""

_FIRST_MOMENT, _LAST_MOMENT = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59'"


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
    match column.kind:
        case "timestamp":
            return f"coalesce(CAST({typed} AS VARCHAR) = {name} AND strlen({name}) = 19, true)"
        case "integer" | "decimal":
            return _is_same_number(f"CAST({typed} AS DOUBLE)", name, column)
        case "text":
            # What is not text was refused before DuckDB reads the file.
            return "true"


def is_unchanged_in_parquet(column: Column) -> str:
    """SQL that tells the same of a Parquet file's value, which has a type already, and one that may be finer."""
    name = identifier(column.name)
    typed = f"CAST({name} AS {COLUMN_TYPES[column.kind]})"
    match column.kind:
        case "timestamp":
            is_whole = f"{_is_in_range(typed)} AND epoch_us({typed}) % 1000000 = 0"
            return f"coalesce({typed} = {name} AND {is_whole}, {name} IS NULL)"
        case "integer" | "decimal":
            return _is_same_number(typed, name, column)
        case "text":
            # Most texts are one letter, which takes no regular expression to see.
            is_letter = f"strlen({typed}) = 1 AND {typed} BETWEEN ' ' AND '~'"
            is_text = f"coalesce(NOT regexp_matches({typed}, {literal(NOT_TEXT)}), true)"
            return f"CASE WHEN {is_letter} THEN true ELSE {is_text} END"


def _is_same_number(typed: str, name: str, column: Column) -> str:
    # DuckDB compares the two in the wider type.
    is_equal = f"{typed} IS NOT DISTINCT FROM {name}"
    if column.kind == "integer":
        return is_equal
    difference = f"abs(CAST({typed} AS DOUBLE) - CAST({name} AS DOUBLE))"
    was_computed = (
        f"typeof({name}) = 'DOUBLE' AND abs({name}) < {ROUNDING_ERROR.limit} "
        f"AND {difference} <= {ROUNDING_ERROR.part!r} * abs({name})"
    )
    # CASE looks for errors in those numbers only that differ.
    return f"CASE WHEN {is_equal} THEN true ELSE {was_computed} END"


def text_in_csv(column: Column) -> str:
    """SQL for a field's text in a CSV, where it was read as text."""
    return identifier(column.name)


def text_in_parquet(column: Column) -> str:
    """SQL for the text that stands for a Parquet file's date and time.

    One that is out of range has none: casting it to text would end the whole database, and DuckDB casts before it looks
    at other conditions.
    """
    typed = f"CAST({identifier(column.name)} AS {COLUMN_TYPES[column.kind]})"
    return f"CAST(CASE WHEN {_is_in_range(typed)} THEN {typed} END AS VARCHAR)"


def _is_in_range(timestamp: str) -> str:
    return f"{timestamp} BETWEEN {_FIRST_MOMENT} AND {_LAST_MOMENT}"
