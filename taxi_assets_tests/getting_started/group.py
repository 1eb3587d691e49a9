"""Runs assets of the group in this process, with a home and an instance of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from taxi_assets.build import build_definitions
from taxi_assets.getting_started.names import GROUP
from taxi_assets.getting_started.resources.isolated_python import IsolatedPython
from taxi_assets.getting_started.resources.products_source import ProductsSource
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets_tests.project import Outcome


class Group:
    """The group's assets over a folder."""

    def __init__(self, folder: Path, *, products: str = "sample") -> None:
        self.database = folder / "warehouse.duckdb"
        self.values = folder / "values"
        self.products = products
        self.instance = dg.DagsterInstance.ephemeral()
        self.environments = folder / "environments"

    def definitions(self) -> dg.Definitions:
        warehouse = DuckDBWarehouse(database=str(self.database))
        manager = DuckDBIOManager(warehouse=warehouse)
        return build_definitions(
            warehouses=[WAREHOUSE],
            resources={
                "duckdb": warehouse,
                "duckdb_io_manager": manager,
                "io_manager": manager,
                "values_io_manager": dg.FilesystemIOManager(base_dir=str(self.values)),
                "products": ProductsSource(address=self.products),
                "isolated_python": IsolatedPython(folder=str(self.environments)),
            },
        )

    def run(self, *names: str, config: Mapping[str, Mapping[str, Any]] | None = None) -> Outcome:
        """Materialize these assets of the group, with a configuration by their names."""
        definitions = self.definitions()
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey([GROUP, name]) for name in names],
            run_config={"ops": {f"{GROUP}__{name}": {"config": dict(of)} for name, of in (config or {}).items()}},
            raise_on_error=False,
        )
        return Outcome(result, self.instance)

    def value(self, name: str) -> Any:
        """What an asset handed on."""
        return self.definitions().load_asset_value(dg.AssetKey([GROUP, name]), instance=self.instance)

    def metadata(self, outcome: Outcome, name: str) -> Mapping[str, Any]:
        return outcome.materialized(f"{GROUP}/{name}")[None]
