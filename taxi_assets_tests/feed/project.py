"""A project that takes its months from the feed, a folder of Parquet files here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import override

from taxi_assets.months import Month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi
from taxi_assets_tests.feed.parquet_files import put_feed
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import GREEN, Project

AUTUMN = Month(2022, 10)


class FedProject(Project):
    """A project whose source is a feed, or the release and a feed.

    Attributes:
        feed: The feed's folder.
        source_name: What TAXI_SOURCE would be: ``feed``, ``auto``, ``release``.
        release: Address of the release; the project's source folder unless given.
    """

    source_name = "feed"
    release = ""

    @property
    def feed(self) -> Path:
        return self.folder / "feed"

    def publish(self, table: pa.Table, month: Month = AUTUMN, taxi: Taxi = GREEN, **options: Any) -> Path:
        """Put a month's file in the feed."""
        return put_feed(self.feed, taxi, month, table, **options)

    @override
    def trip_source(self, *, keep_raw_files: bool = True) -> TripSource:
        return TripSource(
            address=self.source_name,
            release=self.release or str(self.source),
            feed=str(self.feed),
            landing=str(self.landing),
            keep_raw_files=keep_raw_files,
        )

    def checked(self, check: str, taxi: Taxi = GREEN, month: Month = AUTUMN) -> dict[str, Any]:
        """What a check of the monthly table said about a month, by a run that evaluates checks only."""
        outcome = self.run(str(month), taxi, stages=(), checks=("month",))
        evaluation = outcome.checks(self.keys(taxi)["month"].to_user_string())[check]
        numbers = {name: value.value for name, value in evaluation.metadata.items() if name != "months"}
        (line,) = evaluation.metadata["months"].records
        return {**line.data, **numbers, "passed": evaluation.passed, "severity": evaluation.severity.value}


class PostgresFedProject(FedProject, PostgresProject):
    """The same, with PostgreSQL as its warehouse."""
