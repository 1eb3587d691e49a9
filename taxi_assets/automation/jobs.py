"""The jobs that load trips: one for each warehouse, and one for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses.base import Warehouse


@dataclass(frozen=True)
class LoadJobs:
    """The jobs that load trips.

    Attributes:
        each: One for each warehouse.
        everywhere: The one for all warehouses, which schedule and sensor start.
    """

    each: Sequence[UnresolvedAssetJobDefinition]
    everywhere: UnresolvedAssetJobDefinition


def load_jobs(warehouses: Sequence[Warehouse]) -> LoadJobs:
    """Jobs over the trips' assets of these warehouses, with all that they are made from and their checks."""
    return LoadJobs(
        each=[
            _load_job(f"load_{warehouse.name}", [warehouse], f"Loads months of trips into {warehouse.title}.")
            for warehouse in warehouses
        ],
        everywhere=_load_job(
            "load_all",
            warehouses,
            f"Loads months of trips into {' and '.join(warehouse.title for warehouse in warehouses)}.",
        ),
    )


def _load_job(name: str, warehouses: Sequence[Warehouse], description: str) -> UnresolvedAssetJobDefinition:
    tables = [warehouse.key(taxi.table) for warehouse in warehouses for taxi in all_taxis().values()]
    return dg.define_asset_job(name, dg.AssetSelection.assets(*tables).upstream(), description=description)
