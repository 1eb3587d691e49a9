"""Tasks that fill an emulated BigQuery, and read rows from it."""

from __future__ import annotations

import logging
import time
from typing import Any

import duckdb

from emulators.running import BUCKET, DATASET, PROJECT
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse

_log = logging.getLogger(__name__)
_TABLE = "trips"


def fill(bigquery: str, database: str, table: str) -> dict[str, Any]:
    """Write a table of a DuckDB file into the emulated BigQuery, as the table of an asset."""
    warehouse = _warehouse(bigquery, None)
    with warehouse.get_client() as client, duckdb.connect(database, read_only=True) as connection:
        client.create_dataset(DATASET, exists_ok=True)
        rows = warehouse.write(_TABLE, connection.table(table), None, description="Trips to read.")
    return {"rows": rows}


def read(bigquery: str, bigquery_storage: str | None, rows: int) -> dict[str, Any]:
    """Read all rows as an asset gets them, and return the seconds that this process's CPUs worked.

    The emulator answers more slowly than the service, which no wall time can show.
    """
    relation = _warehouse(bigquery, bigquery_storage).read(_TABLE, None)
    start = time.process_time()
    batches = relation.to_arrow_reader(100_000)
    found = sum(batch.num_rows for batch in batches)
    seconds = time.process_time() - start
    if found != rows:
        raise TaxiAssetsError(f"{found} rows were read instead of {rows}.")
    return {"seconds": seconds}


def _warehouse(bigquery: str, bigquery_storage: str | None) -> BigQueryWarehouse:
    return BigQueryWarehouse(
        project=PROJECT,
        dataset=DATASET,
        endpoint=bigquery,
        storage_endpoint=bigquery_storage,
        # Nothing is stored in the bucket.
        objects=GcsBucket(project=PROJECT, bucket=BUCKET, endpoint=bigquery),
    )
