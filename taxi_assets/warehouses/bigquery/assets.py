"""The assets between a raw file and its monthly table: the object in the bucket, and the external table over it."""

from __future__ import annotations

from typing import Final

import dagster as dg

from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.bigquery.statements import external_asset
from taxi_assets.warehouses.kind import Preparation


def _object_spec(taxi: Taxi) -> dg.AssetSpec:
    return dg.AssetSpec(
        dg.AssetKey(["gcs", taxi.table]),
        description=(
            f"{taxi.title}: a month's raw file in Cloud Storage, exactly as it was published. An unchanged file is not "
            "uploaded again."
        ),
        metadata={
            "file": f"gs://<GCP_BUCKET_NAME>/{taxi.name}/{taxi.table}_<YYYY-MM>.csv.gz, or .parquet from the feed"
        },
        kinds={"gcs", "csv"},
    ).with_io_manager_key("gcs_io_manager")


def _external_table_spec(taxi: Taxi) -> dg.AssetSpec:
    return dg.AssetSpec(
        dg.AssetKey(["bigquery", external_asset(taxi)]),
        description=(
            f"{taxi.title}: an external table over a month's raw file. The columns of a CSV are text; those of a "
            "Parquet file have the types of the file. After the merge, the table is dropped unless "
            "TAXI_GCP_KEEP_TABLES is yes."
        ),
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(column.name, "STRING", column.description) for column in taxi.release_columns]
            ),
            "dagster/table_name": f"{taxi.table}_<YYYY_MM>_ext",
            "dagster/storage_kind": "bigquery",
        },
        kinds={"bigquery", "table"},
    ).with_io_manager_key("bigquery_io_manager")


OBJECT: Final = Preparation(
    spec=_object_spec,
    run=lambda warehouse, taxi, month, current, log: warehouse.store_object(taxi, current, log),  # noqa: ARG005 - any month
)
EXTERNAL_TABLE: Final = Preparation(
    spec=_external_table_spec,
    run=lambda warehouse, taxi, month, current, log: warehouse.create_external_table(taxi, month, current, log),
)
