"""The asset that fetches the dbt project from its git repository."""

from typing import Any

import dagster as dg

from taxi_assets.assets.stages import OWNERS
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dbt import locations
from taxi_assets.dbt.command import install_packages
from taxi_assets.dbt.git import GitSource
from taxi_assets.dbt.manifest import find_manifest


def synced_project_asset(source: GitSource) -> dg.AssetsDefinition:
    """The dbt project as it is in a branch of the repository."""

    @dg.asset(
        key="dbt_project",
        description=(
            f"dbt's models from {source.address}. Materialize it to fetch the newest commit, then reload the "
            "definitions to see its models."
        ),
        kinds={"git", "dbt"},
        group_name="dbt",
        owners=OWNERS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def sync_project(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with as_dagster_failures():
            state = locations.state_folder()
            commit = source.sync(state)
            project = locations.project_folder()
            install_packages(project, state / "packages")
        context.log.info(f"Fetched {commit} of {source.address}")
        manifest = find_manifest(project) or {"nodes": {}}
        models = [node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "model"]
        return dg.MaterializeResult(
            metadata={
                "repository": source.address,
                "branch": source.branch or "default",
                "folder": source.folder or ".",
                "commit": commit,
                "models": ", ".join(sorted(models)),
            },
            data_version=dg.DataVersion(commit),
        )

    return sync_project
