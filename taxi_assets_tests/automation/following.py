"""Ticks of the sensor follow_trips, and the runs that they request, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_assets.assets.following import follow_as_a_whole, follow_by_month, main_tables
from taxi_assets.partitions import months_partitions, runs_of_a_range
from taxi_assets_tests.project import Outcome, Project

WHOLE = ""
"""What stands for an asset without partitions in place of its months."""

BY_MONTH, AS_A_WHOLE = "by_month", "as_a_whole"
"""Assets that follow the trips as a model and a page over all months do, and take no time to be made."""


class Follower:
    """Evaluates the conditions of a project's assets, and does what they request.

    Attributes:
        project: The project.
        keys: The assets that are evaluated.
        definitions: The project's definitions, with two assets that are made in no time.
        is_broken: Whether making one of these fails.
        cursor: What the last tick kept.
    """

    def __init__(self, project: Project, keys: Sequence[str] = (BY_MONTH, AS_A_WHOLE)) -> None:
        self.project = project
        self.keys = [dg.AssetKey.from_user_string(key) for key in keys]
        self.definitions = dg.Definitions.merge(project.definitions(), dg.Definitions(assets=self._quick_assets()))
        self.is_broken = False
        self.cursor: Any = None

    def _quick_assets(self) -> list[dg.AssetsDefinition]:
        tables = main_tables(self.project.kind)

        def make() -> None:
            if self.is_broken:
                raise dg.Failure

        return [
            dg.asset(
                name=BY_MONTH,
                deps=tables,
                partitions_def=months_partitions(),
                backfill_policy=runs_of_a_range(),
                automation_condition=follow_by_month(tables),
            )(make),
            dg.asset(name=AS_A_WHOLE, deps=tables, automation_condition=follow_as_a_whole(tables))(make),
        ]

    def tick(self) -> Mapping[str, set[str]]:
        """What a tick requests: the months of each asset."""
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.project.instance,
            asset_selection=dg.AssetSelection.assets(*self.keys),
            cursor=self.cursor,
        )
        self.cursor = result.cursor
        requested: dict[str, set[str]] = {}
        for each in result.results:
            subset = each.true_subset
            if not subset.is_empty:
                months = subset.expensively_compute_partition_keys() if subset.is_partitioned else {WHOLE}
                requested[each.key.to_user_string()] = set(months)
        return requested

    def do(self, requested: Mapping[str, set[str]]) -> list[Outcome]:
        """Do what a tick requests, as Dagster's daemon does: a run for each month and set of assets."""
        months = {month for of_asset in requested.values() for month in of_asset}
        return [
            self.materialize(month, *(key for key, of_asset in requested.items() if month in of_asset))
            for month in sorted(months)
        ]

    def materialize(self, month: str, *keys: str) -> Outcome:
        """Make a month of some assets, or as a whole those that are without partitions."""
        job = self.job(*keys)
        instance = self.project.instance
        result = job.execute_in_process(instance=instance, partition_key=month or None, raise_on_error=False)
        return Outcome(result, instance)

    def job(self, *keys: str) -> dg.JobDefinition:
        """A job over some assets."""
        selection = dg.AssetSelection.assets(*map(dg.AssetKey.from_user_string, keys))
        return dg.define_asset_job("follow", selection).resolve(asset_graph=self.definitions.resolve_asset_graph())

    def catch_up(self) -> None:
        """Tick until nothing is requested."""
        while requested := self.tick():
            for outcome in self.do(requested):
                assert outcome.success, outcome.error
