"""dbt as a part of the project: its models as assets, and the job for any command of dbt."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_assets.dbt import locations
from taxi_assets.warehouses.kind import WarehouseKind


def dbt_definitions(warehouses: Sequence[WarehouseKind]) -> dg.Definitions:
    """The models of those warehouses that dbt can work in; empty where dbt is not installed."""
    usable = [warehouse for warehouse in warehouses if warehouse.prepare_dbt]
    if not usable or not locations.is_installed():
        return dg.Definitions()
    # These import dagster-dbt, which commands without dbt need not wait for.
    from taxi_assets.dbt.assets import model_assets, synced_project_asset  # noqa: PLC0415
    from taxi_assets.dbt.jobs import dbt_command_job  # noqa: PLC0415
    from taxi_assets.dbt.manifest import find_manifest  # noqa: PLC0415

    manifest = find_manifest(locations.project_folder())
    source = locations.git_source()
    return dg.Definitions(
        assets=[
            *(assets for warehouse in usable if manifest for assets in model_assets(warehouse, manifest)),
            *([synced_project_asset(source)] if source else []),
        ],
        jobs=[dbt_command_job(usable, manifest)],
    )
