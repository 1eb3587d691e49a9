"""Puts the asset graph together, for Dagster's entry point and for tests alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.trips import trip_assets
from taxi_assets.assets.zones import zones_assets, zones_checks
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses import configured_warehouses
from taxi_assets.warehouses.base import Warehouse


def build_definitions(
    *, warehouses: Sequence[Warehouse] | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """All assets, checks and resources.

    Args:
        warehouses: The warehouses to include; those whose settings are there unless given.
        resources: Resources to use instead of those that the settings describe.
    """
    included = configured_warehouses() if warehouses is None else warehouses
    from_settings: dict[str, Any] = {
        "source": TripSource(
            address=settings.source(),
            landing=str(settings.home() / "landing"),
            keep_raw_files=settings.keep_raw_files(),
        )
    }
    for warehouse in included:
        from_settings |= warehouse.resources()
    # What a user's own asset returns goes to the warehouse that needs no settings, unless it says otherwise.
    from_settings["io_manager"] = from_settings[included[0].io_manager_key]
    return dg.Definitions(
        assets=[*(trip_assets(taxi, included) for taxi in all_taxis().values()), *zones_assets(included)],
        asset_checks=zones_checks(included),
        resources={**from_settings, **(resources or {})},
        # A step of these assets takes seconds, and a process of its own would cost as much again.
        executor=dg.in_process_executor,
    )
