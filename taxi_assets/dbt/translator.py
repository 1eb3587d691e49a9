"""How dagster-dbt shows dbt's models in the graph: their keys, group and metadata."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from typing_extensions import override

from taxi_assets.warehouses.kind import WarehouseKind


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
    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without the database and schema that dbt was parsed with, which are not those of this warehouse."""
        return {**super().get_metadata(dbt_resource_props), "dagster/table_name": _table(dbt_resource_props)}

    def spec(
        self, manifest: Mapping[str, Any], unique_id: str, months: dg.PartitionsDefinition[str] | None
    ) -> dg.AssetSpec:
        """What a model is in the graph.

        Args:
            manifest: The dbt project.
            unique_id: dbt's own name of the model.
            months: The partitions of a model that is kept by month; None for any other.
        """
        spec = self.get_asset_spec(manifest, unique_id, None)
        return spec.replace_attributes(partitions_def=months, kinds={"dbt", self._warehouse.name}).merge_attributes(
            metadata={"dagster/storage_kind": self._warehouse.name}
        )


def _table(node: Mapping[str, Any]) -> str:
    """Name of the table or view behind a source or model."""
    return str(node.get("identifier") or node.get("alias") or node["name"])
