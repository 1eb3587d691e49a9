"""dbt's models as assets: which months they are about, what they are called, and the step that builds them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import DAGSTER_DBT_UNIQUE_ID_METADATA_KEY
from typing_extensions import override

from taxi_assets.assets.stages import OWNERS
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.dbt.command import failure_of, started
from taxi_assets.partitions import months_of_run, months_partitions, runs_of_a_range
from taxi_assets.taxis import taxi_of_main_table
from taxi_assets.warehouses.kind import WarehouseKind

Manifest = Mapping[str, Any]
Event = dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.AssetObservation

_KINDS_OF_ASSETS: Final = ("model", "seed", "snapshot")


class ModelTranslator(DagsterDbtTranslator):
    """Names models as the warehouse's other tables are named, such as ``duckdb/fct_trips``."""

    def __init__(self, warehouse: WarehouseKind) -> None:
        super().__init__()
        self._warehouse = warehouse

    @override
    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return self._warehouse.key(_table(dbt_resource_props))

    @override
    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return f"dbt_{self._warehouse.name}"

    @override
    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        return OWNERS

    @override
    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without the database and schema that dbt was parsed with, which are not those of this warehouse."""
        return {**super().get_metadata(dbt_resource_props), "dagster/table_name": _table(dbt_resource_props)}

    def spec(self, manifest: Manifest, unique_id: str, months: dg.PartitionsDefinition[str] | None) -> dg.AssetSpec:
        """What a model is in the graph; ``months`` where it is kept by month."""
        spec = self.get_asset_spec(manifest, unique_id, None)
        return spec.replace_attributes(partitions_def=months, kinds={"dbt", self._warehouse.name}).merge_attributes(
            metadata={"dagster/storage_kind": self._warehouse.name}
        )


def model_assets(warehouse: WarehouseKind, manifest: Manifest) -> Sequence[dg.AssetsDefinition]:
    """A step for the models that come after the taxis' main tables, by month, and one for the others."""
    models = [name for name, node in manifest["nodes"].items() if _is_asset(node)]
    by_month = _after_main_tables(manifest)
    groups = {
        "models": ([name for name in models if name in by_month], months_partitions()),
        "references": ([name for name in models if name not in by_month], None),
    }
    return [
        _step(warehouse, manifest, f"dbt_{warehouse.name}_{kind}", models_of_kind, months)
        for kind, (models_of_kind, months) in groups.items()
        if models_of_kind
    ]


def _step(
    warehouse: WarehouseKind,
    manifest: Manifest,
    name: str,
    models: Sequence[str],
    months: dg.PartitionsDefinition[str] | None,
) -> dg.AssetsDefinition:
    translator = ModelTranslator(warehouse)
    specs = {model: translator.spec(manifest, model, months) for model in models}
    checks = [
        check
        for model, spec in specs.items()
        for test in sorted(manifest["child_map"].get(model, []))
        if test.startswith("test.") and (check := translator.get_asset_check_spec(spec, manifest, test, None))
    ]

    @dg.multi_asset(
        name=name,
        description=f"Builds and tests dbt's models in {warehouse.title}.",
        specs=list(specs.values()),
        check_specs=checks,
        can_subset=True,
        partitions_def=months,
        backfill_policy=runs_of_a_range() if months else dg.BackfillPolicy.single_run(),
        required_resource_keys={warehouse.name},
    )
    def build_models(context: dg.AssetExecutionContext) -> Iterator[Event]:
        yield from _build(context, warehouse, manifest, translator, is_by_month=months is not None)

    return build_models


def _build(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseKind,
    manifest: Manifest,
    translator: ModelTranslator,
    *,
    is_by_month: bool,
) -> Iterator[Event]:
    """Build and test what the run selects, and tell Dagster what became of each model and test."""
    with as_dagster_failures():
        months = months_of_run(context) if is_by_month else []
        keys = {key.to_python_identifier(): key for key in context.selected_asset_keys}
        arguments = ["build", "--indirect-selection", "empty", "--select", *_selected(context, manifest)]
        with started(
            warehouse,
            getattr(context.resources, warehouse.name),
            arguments,
            months=months,
            manifest=manifest,
            translator=translator,
            context=context,
        ) as invocation:
            for event in invocation.stream():
                if isinstance(event, dg.Output):
                    yield dg.MaterializeResult(asset_key=keys[event.output_name], metadata=event.metadata)
                elif isinstance(event, dg.AssetCheckResult | dg.AssetObservation):
                    yield event
            failure = failure_of(invocation, warehouse, arguments)
        if failure:
            raise failure


def _selected(context: dg.AssetExecutionContext, manifest: Manifest) -> Iterator[str]:
    """Names by which dbt finds the models and tests that the run selects."""
    definition = context.assets_def
    specs: list[dg.AssetSpec | dg.AssetCheckSpec] = [
        *(definition.specs_by_key[key] for key in context.selected_asset_keys),
        *(definition.get_spec_for_check_key(key) for key in context.selected_asset_check_keys),
    ]
    for spec in specs:
        yield ".".join(manifest["nodes"][spec.metadata[DAGSTER_DBT_UNIQUE_ID_METADATA_KEY]]["fqn"])


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


def _is_asset(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] in _KINDS_OF_ASSETS and node["config"].get("materialized") != "ephemeral"


def _table(node: Mapping[str, Any]) -> str:
    """Name of the table or view behind a source or model."""
    return str(node.get("identifier") or node.get("alias") or node["name"])
