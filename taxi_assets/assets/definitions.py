"""The trips and the zones as Dagster definitions: assets, checks, and the source that they come from."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.trips import trip_assets
from taxi_assets.assets.zones import zones_assets, zones_checks
from taxi_assets.source.resource import TripSource
from taxi_assets.taxis import chosen_taxis
from taxi_assets.warehouses.kind import WarehouseKind


def trip_definitions(warehouses: Sequence[WarehouseKind], retries: dg.RetryPolicy) -> dg.Definitions:
    """The assets of all taxis and of the zones, from the source to these warehouses.

    Args:
        warehouses: The warehouses to load.
        retries: How often a step is tried again when its failure may be temporary.
    """
    return dg.Definitions(
        assets=[
            *(trip_assets(taxi, warehouses, retries) for taxi in chosen_taxis().values()),
            *zones_assets(warehouses, retries),
        ],
        asset_checks=zones_checks(warehouses),
        resources={
            "source": TripSource(
                address=settings.source(),
                feed=settings.feed(),
                landing=str(settings.landing_folder()),
                landing_bucket=settings.landing_bucket(),
                keep_raw_files=settings.keep_raw_files(),
            )
        },
    )
