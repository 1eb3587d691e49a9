"""Requests for runs over months: as few runs as there are stretches of months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg

from taxi_assets.assets.run_tags import run_tags
from taxi_assets.months import Month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi


def stretches(months: Iterable[Month], longest: int | None = None) -> Sequence[Sequence[Month]]:
    """The months in their order, as stretches without gaps, none of them longer than ``longest``."""
    found: list[list[Month]] = []
    for month in sorted(months):
        if found and found[-1][-1].next() == month and len(found[-1]) != longest:
            found[-1].append(month)
        else:
            found.append([month])
    return found


def load_request(
    source: TripSource,
    taxis: Sequence[Taxi],
    months: Sequence[Month],
    *,
    assets: Sequence[dg.AssetKey] | None = None,
    run_key: str | None = None,
) -> dg.RunRequest:
    """One run that loads a stretch of months.

    Args:
        source: Where the months come from, for the run's tags.
        taxis: Whose months, for the run's tags.
        months: A stretch without gaps.
        assets: The assets of the job to load; all of them unless given.
        run_key: Dagster starts no second run with the same key.
    """
    tags = dict(run_tags(source, taxis, months))
    if len(months) == 1:
        return dg.RunRequest(run_key, partition_key=str(months[0]), tags=tags, asset_selection=assets)
    tags["dagster/asset_partition_range_start"] = str(months[0])
    tags["dagster/asset_partition_range_end"] = str(months[-1])
    return dg.RunRequest(run_key, tags=tags, asset_selection=assets)
