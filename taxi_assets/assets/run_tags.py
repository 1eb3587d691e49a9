"""The tags of every run, ``taxi``, ``month`` and ``file``, by which it can be found in the list of runs."""

from collections.abc import Mapping, Sequence

import dagster as dg

from taxi_assets.months import Month
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import Taxi, chosen_taxis


def run_tags(source: TripSource, taxis: Sequence[Taxi], months: Sequence[Month]) -> Mapping[str, str]:
    """Tags of a run over these taxis and months, such as ``taxi: green`` and ``month: 2019-01...2019-12``."""
    return {
        "taxi": ", ".join(taxi.name for taxi in taxis),
        "month": _first_to_last([str(month) for month in months]),
        "file": ", ".join(_first_to_last([source.trip_file(taxi, m).filename for m in months]) for taxi in taxis),
    }


def tag_run(context: dg.AssetExecutionContext, months: Sequence[Month]) -> None:
    """Give the run its tags where they are missing, as after a backfill from the UI or the command line."""
    selected = context.job_def.asset_layer.selected_asset_keys
    taxis = [taxi for taxi in chosen_taxis().values() if any(_belongs_to(taxi, key) for key in selected)]
    missing = {
        name: value
        for name, value in run_tags(context.resources.source, taxis, months).items()
        if name not in context.run.tags
    }
    if missing:
        context.instance.add_run_tags(context.run.run_id, missing)


def _belongs_to(taxi: Taxi, key: dg.AssetKey) -> bool:
    """Whether an asset is one of the taxi's, all of which are named after its main table."""
    name = key.path[-1]
    return name == taxi.table or name.startswith(f"{taxi.table}_")


def _first_to_last(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}...{names[-1]}"
