"""PostgreSQL, 14 to 18: the monthly table is a partition of the main table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from taxi_assets import settings
from taxi_assets.warehouses.kind import SourceTable, WarehouseKind
from taxi_assets.warehouses.postgres.dialect import DIALECT


def _resources() -> Mapping[str, Any]:
    # The drivers are imported only if a server is configured.
    from taxi_assets.warehouses.postgres.io_manager import PostgresIOManager  # noqa: PLC0415
    from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse  # noqa: PLC0415

    warehouse = PostgresWarehouse(**settings.postgres_fields())
    return {"postgres": warehouse, "postgres_io_manager": PostgresIOManager(warehouse=warehouse)}


def _prepare_dbt(resource: Any) -> Mapping[str, str]:
    from taxi_assets.warehouses.postgres.dbt import prepare_dbt  # noqa: PLC0415

    return prepare_dbt(resource)


def _show_to_dbt(
    resource: Any, tables: Sequence[SourceTable], folder: Path
) -> AbstractContextManager[Mapping[str, str]]:
    from taxi_assets.warehouses.postgres.dbt import show_to_dbt  # noqa: PLC0415

    return show_to_dbt(resource, tables, folder)


WAREHOUSE: Final = WarehouseKind(
    name="postgres",
    title="PostgreSQL",
    dialect=DIALECT,
    is_configured=settings.postgres_is_configured,
    resources=_resources,
    prepare_dbt=_prepare_dbt,
    show_to_dbt=_show_to_dbt,
)
