"""Keeps tables of the project whatever a dataset's defaults say, which delete new tables or old partitions.

A partition counts as old by its own date, so with a default of 60 days the trips of 2019 would be gone at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.api_core.exceptions import PreconditionFailed
from google.cloud import bigquery


def expires(dataset: bigquery.Dataset) -> bool:
    """Whether new tables of the dataset, or their partitions, are deleted by default."""
    return bool(dataset.default_table_expiration_ms or dataset.default_partition_expiration_ms)


def keep(client: bigquery.Client, table: bigquery.Table) -> None:
    """Take the expirations away from a table or view, if it has any.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused it, as it does in the sandbox.
    """
    while changed := _without_expirations(table):
        try:
            client.update_table(table, changed)
        except PreconditionFailed:
            # Somebody else has changed it since it was looked up, or this did, and the answer was lost.
            table = client.get_table(table.reference)
        else:
            return


def _without_expirations(table: bigquery.Table) -> Sequence[str]:
    """Take the expirations away from what was looked up, and return the fields that have changed."""
    changed = []
    if table.expires is not None:
        table.expires = None
        changed.append("expires")
    partitioning = table.time_partitioning
    if partitioning is not None and partitioning.expiration_ms:
        partitioning.expiration_ms = None
        table.time_partitioning = partitioning
        changed.append("time_partitioning")
    return changed
