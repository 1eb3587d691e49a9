"""BigQuery: the raw file is uploaded to Cloud Storage unchanged, and BigQuery types its values and computes the ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.warehouses.bigquery.assets import EXTERNAL_TABLE, OBJECT
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.kind import SourceTable, WarehouseKind


def _resources() -> Mapping[str, Any]:
    # Google's client libraries take a while to import, so they are imported only if a project is set.
    from taxi_assets.gcp.io_manager import GcsIOManager  # noqa: PLC0415
    from taxi_assets.gcp.resources import GcsBucket  # noqa: PLC0415
    from taxi_assets.warehouses.bigquery.io_manager import BigQueryIOManager  # noqa: PLC0415
    from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse  # noqa: PLC0415

    bucket = GcsBucket(**settings.gcs_fields())
    warehouse = BigQueryWarehouse(**settings.bigquery_fields(), objects=bucket, keep_tables=settings.gcp_keep_tables())
    return {
        "bigquery": warehouse,
        "bigquery_io_manager": BigQueryIOManager(warehouse=warehouse),
        "gcs": bucket,
        "gcs_io_manager": GcsIOManager(bucket=bucket),
    }


def _jobs() -> Sequence[dg.JobDefinition]:
    from taxi_assets.gcp.admin.jobs import gcp_jobs  # noqa: PLC0415

    return gcp_jobs()


def _prepare_dbt(resource: Any) -> Mapping[str, str]:
    from taxi_assets.warehouses.bigquery.dbt import prepare_dbt  # noqa: PLC0415

    return prepare_dbt(resource)


def _show_to_dbt(
    resource: Any, tables: Sequence[SourceTable], folder: Path
) -> AbstractContextManager[Mapping[str, str]]:
    from taxi_assets.warehouses.bigquery.dbt import show_to_dbt  # noqa: PLC0415

    return show_to_dbt(resource, tables, folder)


WAREHOUSE: Final = WarehouseKind(
    name="bigquery",
    title="BigQuery",
    dialect=DIALECT,
    is_configured=settings.gcp_is_configured,
    resources=_resources,
    preparations=(OBJECT, EXTERNAL_TABLE),
    jobs=_jobs,
    prepare_dbt=_prepare_dbt,
    show_to_dbt=_show_to_dbt,
)
