"""A project whose warehouse is a dataset in an emulator of BigQuery, with a bucket in one of Cloud Storage."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from google.cloud import bigquery, storage
from typing_extensions import override

from emulators.running import PROJECT, Emulators
from taxi_assets.build import build_definitions
from taxi_assets.gcp.io_manager import GcsIOManager
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import bigquery as cloud
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses.bigquery.io_manager import BigQueryIOManager
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets_tests.project import GREEN, JANUARY, Outcome, Project

ALL_STAGES = ("raw", "object", "external", "month", "main")
MERGED = ("inserted", "updated", "deleted")


class GcpProject(Project):
    """A source folder, a landing zone, a bucket, a dataset, and a Dagster instance in memory.

    Attributes:
        emulators: Where the emulators are; empty addresses for the service itself.
        project: Name of the project in Google Cloud.
        bucket: Name of the bucket.
        dataset: Name of the dataset.
        warehouses: The warehouses that runs know of.
    """

    kind = cloud.WAREHOUSE
    project = PROJECT

    def __init__(
        self, folder: Path, emulators: Emulators, *, address: str | None = None, names: tuple[str, str] | None = None
    ) -> None:
        super().__init__(folder, address=address)
        self.emulators = emulators
        name = uuid.uuid4().hex[:12]
        self.bucket, self.dataset = names or (f"emulated-bucket-{name}", f"emulated_dataset_{name}")
        self.warehouses: Sequence[WarehouseKind] = [cloud.WAREHOUSE]

    def objects(self) -> GcsBucket:
        return GcsBucket(project=self.project, bucket=self.bucket, endpoint=self.emulators.storage or None)

    def bigquery(self, **settings: Any) -> BigQueryWarehouse:
        return BigQueryWarehouse(
            **(
                {
                    "project": self.project,
                    "dataset": self.dataset,
                    "endpoint": self.emulators.bigquery or None,
                    "storage_endpoint": self.emulators.bigquery_storage or None,
                    "objects": self.objects(),
                }
                | settings
            )
        )

    def set_up(self) -> None:
        """Make the bucket and the dataset."""
        self.storage_client().create_bucket(self.bucket)
        with self.client() as client:
            client.create_dataset(self.dataset)

    def storage_client(self) -> storage.Client:
        return self.objects().get_client()

    @contextmanager
    def client(self) -> Iterator[bigquery.Client]:
        with self.bigquery().get_client() as client:
            yield client

    @override
    def definitions(self, *, keep_raw_files: bool = True, **warehouse_settings: Any) -> dg.Definitions:
        warehouse = self.bigquery(**warehouse_settings)
        bucket = self.objects()
        resources: dict[str, Any] = {
            "source": self.trip_source(keep_raw_files=keep_raw_files),
            "bigquery": warehouse,
            "bigquery_io_manager": BigQueryIOManager(warehouse=warehouse),
            "gcs": bucket,
            "gcs_io_manager": GcsIOManager(bucket=bucket),
        }
        if embedded.WAREHOUSE in self.warehouses:
            resources["duckdb"] = self.warehouse()
            resources["duckdb_io_manager"] = DuckDBIOManager(warehouse=self.warehouse())
        return build_definitions(warehouses=self.warehouses, resources=resources, retries=self.retries)

    @override
    def keys(self, taxi: Taxi) -> dict[str, dg.AssetKey]:
        return {
            **super().keys(taxi),
            "object": dg.AssetKey(["gcs", taxi.table]),
            "external": dg.AssetKey(["bigquery", f"{taxi.table}_ext"]),
        }

    @override
    def run(
        self,
        months: str = str(JANUARY),
        taxi: Taxi = GREEN,
        *,
        stages: Sequence[str] | None = None,
        **settings: Any,
    ) -> Outcome:
        if stages is None:
            stages = ALL_STAGES if self.kind is cloud.WAREHOUSE else ("raw", "month", "main")
        return super().run(months, taxi, stages=stages, **settings)

    def changes(self, months: str = str(JANUARY), taxi: Taxi = GREEN, **settings: Any) -> list[tuple[int, int, int]]:
        """Run without checks, and return the rows inserted, updated and deleted, as main's materializations say."""
        outcome = self.run(months, taxi, **({"checks": False} | settings))
        assert outcome.success, outcome.error
        merged = outcome.materialized(f"bigquery/{taxi.table}")
        return [tuple(merged[month][name] for name in MERGED) for month in sorted(merged)]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What BigQuery answers to a statement in the project's dataset."""
        config = bigquery.QueryJobConfig(default_dataset=f"{self.project}.{self.dataset}")
        with self.client() as client:
            return [tuple(row.values()) for row in client.query(statement, job_config=config).result()]

    @override
    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.client() as client:
            rows = client.query(
                f"SELECT * FROM `{self.project}.{self.dataset}.{table}` ORDER BY file_month, unique_row_id"
            ).result()
            return [dict(row.items()) for row in rows]

    def tables(self) -> dict[str, str]:
        """Kind of each table and view in the dataset, by its name."""
        with self.client() as client:
            return {table.table_id: table.table_type for table in client.list_tables(self.dataset)}

    def object_names(self) -> list[str]:
        return sorted(blob.name for blob in self.storage_client().list_blobs(self.bucket))

    def object_of(self, month: Month = JANUARY, taxi: Taxi = GREEN) -> storage.Blob:
        return self.storage_client().bucket(self.bucket).get_blob(taxi.file_path(month))
