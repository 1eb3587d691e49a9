"""The interface of a warehouse, and the values that it returns.

A new warehouse is one package beside ``duckdb`` whose ``__init__`` exports a ``WAREHOUSE``. There is no other list of
warehouses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import dagster as dg

from taxi_assets.months import Month
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.dialect import Dialect
from taxi_assets.warehouses.measures import MonthProfile

TableRole = Literal["month", "main"]
"""A taxi's monthly table, or its main table with all months."""


@dataclass(frozen=True)
class MonthLoad:
    """The result of loading a month's table.

    Attributes:
        rows: Rows of the monthly table, which are those of the file.
        seconds: How long the work took, without waiting for others.
        facts: The warehouse's own figures about it, as metadata.
    """

    rows: int
    seconds: float = field(compare=False)
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def left_out(cls, table: str, rows: int, *, seconds: float, log: logging.Logger) -> MonthLoad:
        """The result where a monthly table was made from the same file and is unchanged since."""
        log.info(f"{table} was made from this file and is unchanged since: there is nothing to load")
        return cls(rows, seconds=seconds, facts={"already loaded": True})


@dataclass(frozen=True)
class MonthMerge:
    """The result of merging a month into the main table.

    Attributes:
        rows: Rows of that month's file that the main table has now.
        table_rows: Rows of all months that it has now.
        inserted: Rows that were not there before.
        updated: Rows that were there with other values.
        deleted: Rows that the file no longer has.
        seconds: How long the work took, without waiting for others.
        facts: The warehouse's own figures about it, as metadata.
    """

    rows: int
    table_rows: int
    inserted: int
    updated: int
    deleted: int
    seconds: float = field(compare=False)
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


class TripsWarehouse(Protocol):
    """A warehouse that a run is connected to. Every method is atomic: after a failure the warehouse is unchanged."""

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:
        """Keep open, for the duration of a block, what would be costly to open for each call.

        Raises:
            WarehouseError: It can't be opened.
        """

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """Make the monthly table contain exactly the rows of the file that has landed by then.

        Raises:
            FileReplacedError: The file was replaced while it was read.
            LandingError: The file has not landed, or was changed since.
            UnexpectedContentError: A row or value of the file does not match the taxi's definition.
            WarehouseError: The warehouse can't load it.
        """

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """Make the main table's slice of that month contain exactly the rows of the monthly table.

        Raises:
            WarehouseError: There is no monthly table, or the warehouse can't merge it.
        """

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:
        """Measure one month in the monthly or the main table.

        Raises:
            WarehouseError: There is no such table, or the warehouse can't read it.
        """

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """Remove one month from the monthly and the main table, and return how many rows main had of it.

        Args:
            taxi: The taxi.
            month: The month.
            log: The log for messages about waiting.
            rows: How many rows of it main must have, if it has any; None for any number.

        Raises:
            OtherRowsError: Main has another number of rows of it, so that it was loaded again since.
            WarehouseError: There is no such month, or the warehouse can't remove it.
        """

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:
        """Make the zones table contain exactly the rows of the landed file, and return their number.

        Raises:
            FileReplacedError: The file was replaced while it was read.
            LandingError: The file has not landed, or was changed since.
            UnexpectedContentError: A value of the file does not match the definition of the zones.
            WarehouseError: The warehouse can't load it.
        """

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:
        """The number of rows and the number of distinct zones in the zones table.

        Raises:
            WarehouseError: There is no such table, or the warehouse can't read it.
        """


@dataclass(frozen=True)
class Preparation:
    """An asset between a month's raw file and its monthly table, which only one kind of warehouse has.

    Attributes:
        spec: Returns the definition of a taxi's asset: key, description, metadata, kinds, group and I/O manager.
        run: Materializes it for one month in the connected warehouse, from the landed file, and returns the metadata of
            the materialization. Raises a TaxiAssetsError if it fails.
    """

    spec: Callable[[Taxi], dg.AssetSpec]
    run: Callable[[Any, Taxi, Month, CurrentFile, logging.Logger], Mapping[str, Any]]


@dataclass(frozen=True)
class SourceTable:
    """A main table, or the zones, by the name that a dbt project has for it.

    Attributes:
        database: The database, or the project in Google Cloud; empty for that of the warehouse.
        schema: The schema, or the dataset.
        table: The table, which has the same name in the warehouse.
    """

    database: str
    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.table}"


class ShowToDbt(Protocol):
    """Lets a dbt project from git find the main tables under its own names, for the duration of a dbt command."""

    def __call__(
        self, resource: Any, tables: Sequence[SourceTable], folder: Path, /
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Provide them, and yield more environment variables for dbt's profile.

        Args:
            resource: The connected resource.
            tables: The tables that the project reads.
            folder: A folder for files that dbt needs, of this warehouse alone.

        Raises:
            DbtError: A table can't have that name here.
            WarehouseError: The warehouse can't be reached or can't provide it.
        """


@dataclass(frozen=True)
class WarehouseKind:
    """A kind of warehouse: what the asset graph needs before a run is connected to it.

    Attributes:
        name: First part of its asset keys, its group, and the key of its resource.
        title: The name in texts for people.
        dialect: Its SQL and its column types.
        is_configured: Whether its settings are set, so that its assets are in the graph.
        resources: Its resource under ``name``, its I/O manager under ``<name>_io_manager``, and any other resources
            that its assets need.
        preparations: Its assets before the monthly table, each after the one that it needs.
        jobs: Jobs of its own, beside those that all warehouses share.
        is_default: Whether it stores what an asset of the user returns that does not name an I/O manager.
        prepare_dbt: Makes sure that its resource can be reached, and returns the environment variables for dbt's
            profile of the same name; None if dbt can't work in it. ``DBT_DATABASE`` and ``DBT_SCHEMA`` among them say
            where the main tables are.
        show_to_dbt: Provides the main tables under the names that a dbt project from git has for them; None if dbt
            can't work in it.
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
    show_to_dbt: ShowToDbt | None = None

    @property
    def io_manager_key(self) -> str:
        """Key of the I/O manager that reads and writes this warehouse's tables."""
        return f"{self.name}_io_manager"

    def key(self, table: str) -> dg.AssetKey:
        """Key of the asset for a table."""
        return dg.AssetKey([self.name, table])
