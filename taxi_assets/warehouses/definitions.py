"""The warehouses as Dagster definitions: their resources and I/O managers, and the jobs that only one of them has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_assets.warehouses.kind import WarehouseKind


def warehouse_definitions(warehouses: Sequence[WarehouseKind]) -> dg.Definitions:
    """The resources and jobs of these warehouses.

    The default one stores what an asset returns, if the asset does not name an I/O manager.
    """
    resources: dict[str, Any] = {}
    for warehouse in warehouses:
        resources |= warehouse.resources()
    default = next((warehouse for warehouse in warehouses if warehouse.is_default), warehouses[0])
    resources["io_manager"] = resources[default.io_manager_key]
    return dg.Definitions(jobs=[job for warehouse in warehouses for job in warehouse.jobs()], resources=resources)
