"""dbt's models as assets, and the asset that fetches the dbt project from its git repository."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from taxi_assets.assets.following import Condition, follow_as_a_whole, follow_by_month, make_once
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dbt import locations
from taxi_assets.dbt.command import failure_of, install_packages, running_dbt
from taxi_assets.dbt.git import GitSource
from taxi_assets.dbt.manifest import find_manifest, is_kept_by_month
from taxi_assets.dbt.tables import sources_used
from taxi_assets.dbt.translator import ModelTranslator
from taxi_assets.partitions import months_of_run, months_partitions, runs_of_a_range
from taxi_assets.taxis import Taxi, taxi_of_main_table
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.zones import ZONES_TABLE

Manifest = Mapping[str, Any]
Event = dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.AssetObservation

_KINDS_OF_ASSETS: Final = ("model", "seed", "snapshot")


def model_assets(warehouse: WarehouseKind, manifest: Manifest) -> Sequence[dg.AssetsDefinition]:
    """A step for the models that come after the taxis' main tables, by month, and one for the others.

    A project that does not know which months to build has a single step, which builds everything anew.
    """
    models = [name for name, node in manifest["nodes"].items() if _is_asset(node)]
    by_month = _after_main_tables(manifest) if is_kept_by_month(manifest) else ()
    references = [name for name in models if name not in by_month]
    tables = [warehouse.key(taxi.table) for taxi in _taxis_of(manifest)]
    zones = [warehouse.key(ZONES_TABLE)] if _reads_zones(manifest) else []
    groups: Mapping[str, tuple[Sequence[str], dg.PartitionsDefinition[str] | None, Condition | None]]
    if not is_kept_by_month(manifest):
        follow_all = follow_as_a_whole([*tables, *zones], all_needed=True) if tables or zones else None
        groups = {"models": (models, None, follow_all)}
    else:
        translator = ModelTranslator(warehouse)
        after = [*zones, *(translator.get_asset_key(manifest["nodes"][name]) for name in references)]
        follow_trips = follow_by_month(tables, all_needed=True, after=after) if tables else None
        follow_zones = follow_as_a_whole(zones) if zones else make_once(tables) if tables else None
        groups = {
            "models": ([name for name in models if name in by_month], months_partitions(), follow_trips),
            "references": (references, None, follow_zones),
        }
    return [
        _step(warehouse, manifest, f"dbt_{warehouse.name}_{kind}", models_of_kind, months=months, following=following)
        for kind, (models_of_kind, months, following) in groups.items()
        if models_of_kind
    ]


def _step(
    warehouse: WarehouseKind,
    manifest: Manifest,
    name: str,
    models: Sequence[str],
    *,
    months: dg.PartitionsDefinition[str] | None,
    following: Condition | None,
) -> dg.AssetsDefinition:
    translator = ModelTranslator(warehouse)
    specs = {
        model: translator.spec(manifest, model, months).replace_attributes(automation_condition=following)
        for model in models
    }
    checks = {
        test: check
        for model, spec in specs.items()
        for test in sorted(manifest["child_map"].get(model, []))
        if test.startswith("test.") and (check := translator.get_asset_check_spec(spec, manifest, test, None))
    }
    models_by_key = {spec.key: model for model, spec in specs.items()}
    tests_by_key = {check.key: test for test, check in checks.items()}

    @dg.multi_asset(
        name=name,
        description=f"Builds and tests dbt's models in {warehouse.title}.",
        specs=list(specs.values()),
        check_specs=list(checks.values()),
        can_subset=True,
        partitions_def=months,
        backfill_policy=runs_of_a_range() if months else dg.BackfillPolicy.single_run(),
        required_resource_keys={warehouse.name},
    )
    def build_models(context: dg.AssetExecutionContext) -> Iterator[Event]:
        selected = [
            *(_selector(manifest, models_by_key[key]) for key in context.selected_asset_keys),
            *(_selector(manifest, tests_by_key[key]) for key in context.selected_asset_check_keys),
        ]
        with as_dagster_failures():
            months_to_build = months_of_run(context) if months else []
            # A model that keeps what it has, and adds what is new, would miss months that are corrected or come late.
            anew = [] if is_kept_by_month(manifest) else ["--full-refresh"]
            arguments = ["build", *anew, "--indirect-selection", "empty", "--select", *selected]
            with running_dbt(
                warehouse,
                getattr(context.resources, warehouse.name),
                arguments,
                months=months_to_build,
                manifest=manifest,
                translator=translator,
                context=context,
            ) as invocation:
                keys = {key.to_python_identifier(): key for key in context.selected_asset_keys}
                for event in invocation.stream():
                    if isinstance(event, dg.Output):
                        yield dg.MaterializeResult(asset_key=keys[event.output_name], metadata=event.metadata)
                    elif isinstance(event, dg.AssetCheckResult | dg.AssetObservation):
                        yield event
                failure = failure_of(invocation, warehouse, arguments)
            if failure:
                raise failure

    return build_models


def _selector(manifest: Manifest, unique_id: str) -> str:
    """The name by which dbt selects a model or a test."""
    return ".".join(manifest["nodes"][unique_id]["fqn"])


def _after_main_tables(manifest: Manifest) -> Collection[str]:
    """The nodes that depend, directly or not, on a taxi's main table."""
    found: set[str] = set()
    ahead = [name for name, source in manifest["sources"].items() if taxi_of_main_table(source["identifier"])]
    while ahead:
        for child in manifest["child_map"].get(ahead.pop(), []):
            if child not in found:
                found.add(child)
                ahead.append(child)
    return found


def _taxis_of(manifest: Manifest) -> Sequence[Taxi]:
    """The taxis whose main tables any model reads."""
    found = (taxi_of_main_table(source.table) for source in sources_used(manifest))
    return list(dict.fromkeys(taxi for taxi in found if taxi))


def _reads_zones(manifest: Manifest) -> bool:
    """Whether any model reads the zones."""
    return any(source.table == ZONES_TABLE for source in sources_used(manifest))


def _is_asset(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] in _KINDS_OF_ASSETS and node["config"].get("materialized") != "ephemeral"


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
