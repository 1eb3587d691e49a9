"""dbt's models in the asset graph, for each warehouse that dbt can work in.

dbt and its adapters need libraries in versions that the project can't have beside its own, so they live in an
environment of their own. Where that is not installed, the graph loads without them, and nothing of dbt is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_assets.dbt import locations
from taxi_assets.warehouses.kind import WarehouseKind


@dataclass(frozen=True)
class DbtDefinitions:
    """What dbt adds to the graph.

    Attributes:
        assets: The models of each warehouse, and the project if it comes from a git repository.
        jobs: The job that runs any command of dbt.
    """

    assets: Sequence[dg.AssetsDefinition] = ()
    jobs: Sequence[dg.JobDefinition] = ()


def dbt_definitions(warehouses: Sequence[WarehouseKind]) -> DbtDefinitions:
    """The models of those warehouses that dbt can work in; nothing where dbt is not installed."""
    usable = [warehouse for warehouse in warehouses if warehouse.prepare_dbt]
    if not usable or not locations.is_installed():
        return DbtDefinitions()
    # These import dagster-dbt, which nobody waits for who doesn't use it.
    from taxi_assets.dbt.job import dbt_command_job  # noqa: PLC0415
    from taxi_assets.dbt.manifest import find_manifest  # noqa: PLC0415
    from taxi_assets.dbt.models import model_assets  # noqa: PLC0415
    from taxi_assets.dbt.synced import synced_project_asset  # noqa: PLC0415

    manifest = find_manifest(locations.project_folder())
    source = locations.git_source()
    return DbtDefinitions(
        assets=[
            *(assets for warehouse in usable if manifest for assets in model_assets(warehouse, manifest)),
            *([synced_project_asset(source)] if source else []),
        ],
        jobs=[dbt_command_job(usable, manifest)],
    )
