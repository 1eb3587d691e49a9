"""Reads the file that defines a taxi, and reports what is wrong with it.

The file is ``taxi_assets/taxis/<name>.toml``; its name becomes the first part of the tables' names. It begins with
``title``, ``description``, ``first_month``, ``last_month``, ``identity`` and optionally ``first_feed_month``,
``in_release`` and ``color``, which are described in :class:`~taxi_assets.taxis.taxi.Taxi`. A table ``[[columns]]``
follows for each column, in the order of the release's header, with the attributes of
:class:`~taxi_assets.taxis.taxi.Column`.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from taxi_assets.errors import DefinitionError, UnknownTaxiOrMonthError
from taxi_assets.months import Month
from taxi_assets.taxis.taxi import ADDED_COLUMNS, MEANINGS, Column, Taxi

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


class _File(BaseModel, extra="forbid"):
    """The keys that a file may have, with their types."""

    title: str
    description: str
    first_month: str
    last_month: str
    first_feed_month: str | None = None
    in_release: bool = Taxi.in_release
    identity: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: tuple[Column, ...]
    color: Annotated[str, Field(pattern="^#[0-9a-f]{6}$")] = Taxi.color


def read_taxi(name: str, text: str) -> Taxi:
    """The taxi that a file defines.

    Args:
        name: The taxi's name, which is the file's name without ``.toml``.
        text: The file's content.

    Raises:
        DefinitionError: The file is not TOML, or something in it is missing, unknown or contradictory.
    """
    where = f"taxi_assets/taxis/{name}.toml"
    try:
        file = _File(**tomllib.loads(text))
        first_month, last_month = Month.parse(file.first_month), Month.parse(file.last_month)
        first_feed_month = Month.parse(file.first_feed_month or file.first_month)
    except ValidationError as error:
        findings = [f"{' '.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise DefinitionError(f"{where}: {'; '.join(findings)}.") from error
    except (tomllib.TOMLDecodeError, UnknownTaxiOrMonthError) as error:
        raise DefinitionError(f"{where}: {error}") from error
    spelled = {column.name.lower(): column.name for column in file.columns}
    taxi = Taxi(
        name=name,
        title=file.title,
        description=file.description,
        columns=file.columns,
        identity=tuple(spelled.get(column.lower(), column) for column in file.identity),
        first_month=first_month,
        last_month=last_month,
        first_feed_month=first_feed_month,
        in_release=file.in_release,
        color=file.color,
    )
    fault = next(_faults(taxi), None)
    if fault is not None:
        raise DefinitionError(f"{where}: {fault}.")
    return taxi


def _faults(taxi: Taxi) -> Iterator[str]:
    if not _NAME.fullmatch(taxi.name):
        yield "the file's name must consist of lower-case letters, digits and underscores"
    if taxi.last_month < taxi.first_month:
        yield "last_month is before first_month"
    if taxi.first_feed_month > taxi.first_month:
        yield "first_feed_month is after first_month"
    for column in taxi.columns:
        yield from _faults_of_column(column)
    yield from _repeated("column", [column.name for column in taxi.columns])
    yield from _repeated("meaning", [column.meaning for column in taxi.columns if column.meaning])
    for name in taxi.identity:
        if name not in taxi.header:
            yield f"identity names {name}, which is not a column of the release"
    for meaning in ("pickup", "dropoff"):
        if taxi.column_for(meaning) is None:
            yield f'no column has meaning = "{meaning}"'
    if not taxi.column(taxi.pickup).required:
        yield f"{taxi.pickup} means pickup, so it needs required = true"
    if taxi.columns[: len(taxi.header)] != taxi.release_columns:
        yield "columns with only_in_feed must come after all others"


def _faults_of_column(column: Column) -> Iterator[str]:
    if column.name.lower() in ADDED_COLUMNS:
        yield f"{column.name} is the name of a column that is added to every table"
    if column.meaning is not None and column.meaning not in MEANINGS:
        yield f"{column.name} has the meaning “{column.meaning}”: choose from {', '.join(MEANINGS)}, or leave it out"
    if column.meaning is not None and column.kind != MEANINGS[column.meaning]:
        yield f"{column.name} means {column.meaning}, so its kind must be {MEANINGS[column.meaning]}"
    share = column.below_minimum_in_feed
    if share is not None and not 0 < share < 1:
        yield f"{column.name} has below_minimum_in_feed = {share}: it is a share of rows between 0 and 1, such as 0.03"
    if share is not None and column.minimum is None:
        yield f"{column.name} has below_minimum_in_feed, so it needs a minimum"
    if column.examples and column.kind != "text":
        yield f"{column.name} has examples, so its kind must be text"
    if column.only_in_feed and column.required:
        yield f"{column.name} can't be both only_in_feed and required"


def _repeated(what: str, names: Sequence[str]) -> Iterator[str]:
    """Names that occur more than once, ignoring case."""
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            yield f"there is more than one {what} {name}"
