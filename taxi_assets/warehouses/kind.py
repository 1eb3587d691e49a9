"""What a warehouse is to the rest of the project: the values it returns and the interface it fulfils.

A fourth warehouse is one new package beside ``duckdb`` whose ``__init__`` exports a ``WAREHOUSE``; nothing else names
warehouses one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import dagster as dg

from taxi_assets.months import Month
from taxi_assets.source.files import LandedFile
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.dialect import Dialect
from taxi_assets.warehouses.measures import MonthProfile

TableRole = Literal["month", "main"]
"""A taxi's monthly table, or its main table with all months."""


@dataclass(frozen=True)
class MonthLoad:
    """What loading a month's table came to.

    Attributes:
        rows: Rows of the monthly table, which are those of the file.
        seconds: How long the work took, without waiting for others.
        facts: What else the warehouse tells of it, as metadata.
    """

    rows: int
    seconds: float = field(compare=False)
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class MonthMerge:
    """What merging a month changed in the main table.

    Attributes:
        rows: Rows that the main table now holds of that month's file.
        table_rows: Rows that it now holds of all months.
        inserted: Rows that were not there before.
        updated: Rows that were there with other values.
        deleted: Rows that the file no longer has.
        seconds: How long the work took, without waiting for others.
        facts: What else the warehouse tells of it, as metadata.
    """

    rows: int
    table_rows: int
    inserted: int
    updated: int
    deleted: int
    seconds: float = field(compare=False)
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


class TripsWarehouse(Protocol):
    """Where trips are kept. Every method is atomic: after a failure the warehouse is as it was."""

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:
        """Keep open for the length of a block what is costly to open for each call.

        Raises:
            WarehouseError: It can't be opened.
        """

    def load_month(self, taxi: Taxi, month: Month, landed: LandedFile, log: logging.Logger) -> MonthLoad:
        """Make the monthly table hold exactly the rows of the landed file.

        Raises:
            UnexpectedContentError: A row or value of the file is not what the taxi's definition says.
            WarehouseError: The warehouse refuses.
        """

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """Make the main table's slice of that month hold exactly the rows of the monthly table.

        Raises:
            WarehouseError: There is no monthly table, or the warehouse refuses.
        """

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """Measure one month in the monthly or the main table.

        Raises:
            WarehouseError: There is no such table, or the warehouse refuses.
        """

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> int:
        """Remove one month from the monthly and the main table, and return how many rows main had of it.

        Raises:
            WarehouseError: There is no such month, or the warehouse refuses.
        """

    def replace_zones(self, landed: LandedFile, log: logging.Logger) -> int:
        """Make the zones table hold exactly the rows of the landed file, and return their number.

        Raises:
            UnexpectedContentError: A value of the file is not what the definition of the zones says.
            WarehouseError: The warehouse refuses.
        """

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:
        """Rows of the zones table, and distinct zone numbers in it.

        Raises:
            WarehouseError: There is no such table, or the warehouse refuses.
        """


@dataclass(frozen=True)
class Preparation:
    """An asset between a month's raw file and its monthly table, which only one kind of warehouse has.

    Attributes:
        spec: What the asset of a taxi is: key, description, metadata, kinds, group and I/O manager.
        run: Does it for one month in the connected warehouse, from the landed file, and returns the metadata of the
            materialization. Raises a TaxiAssetsError where it can't be done.
    """

    spec: Callable[[Taxi], dg.AssetSpec]
    run: Callable[[Any, Taxi, Month, LandedFile, logging.Logger], Mapping[str, Any]]


@dataclass(frozen=True)
class WarehouseKind:
    """A kind of warehouse, as far as the asset graph must know it before anything is connected.

    Attributes:
        name: First part of its asset keys, its group, and the key of its resource.
        title: The name as people say it.
        dialect: How it writes SQL, and its types of columns.
        is_configured: Whether its settings are there, so that its assets join the graph.
        resources: Its resource under ``name`` and its I/O manager under ``<name>_io_manager``, and whatever else its
            assets need.
        preparations: Its assets before the monthly table, each after the one it needs.
        jobs: What people start on purpose in it, beside the jobs that all warehouses share.
        is_default: Whether it keeps what a user's own asset returns that names no I/O manager.
        prepare_dbt: Makes sure that its resource can be reached, and returns the environment variables that dbt's
            profile of its name reads; None where dbt can't work in it.
    """

    name: str
    title: str
    dialect: Dialect
    is_configured: Callable[[], bool]
    resources: Callable[[], Mapping[str, Any]]
    preparations: Sequence[Preparation] = ()
    jobs: Callable[[], Sequence[dg.JobDefinition]] = tuple
    is_default: bool = False
    prepare_dbt: Callable[[Any], Mapping[str, str]] | None = None

    @property
    def io_manager_key(self) -> str:
        """Key of the I/O manager that hands out this warehouse's tables."""
        return f"{self.name}_io_manager"

    def key(self, table: str) -> dg.AssetKey:
        """Key of the asset for a table."""
        return dg.AssetKey([self.name, table])
