"""dbt as a part of the project: its models as assets, and the job for any command of dbt."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_assets import settings
from taxi_assets.dbt import locations
from taxi_assets.errors import SettingsError
from taxi_assets.warehouses import all_warehouses
from taxi_assets.warehouses.kind import WarehouseKind


def dbt_definitions(warehouses: Sequence[WarehouseKind]) -> dg.Definitions:
    """The models of those warehouses that dbt can work in; empty where dbt is not installed."""
    usable = _chosen([warehouse for warehouse in warehouses if warehouse.prepare_dbt])
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


def _chosen(usable: Sequence[WarehouseKind]) -> Sequence[WarehouseKind]:
    """Those warehouses that a setting names, if it does."""
    names = settings.dbt_warehouses()
    if names is None:
        return usable
    known = {warehouse.name for warehouse in all_warehouses() if warehouse.prepare_dbt}
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"{settings.DBT_WAREHOUSES} names {', '.join(unknown)}, where dbt can't work: choose from "
            f"{', '.join(sorted(known))}."
        )
    return [warehouse for warehouse in usable if warehouse.name in names]
