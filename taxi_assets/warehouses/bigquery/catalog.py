"""Looks up tables of the dataset, and recognises the project's own by their descriptions."""

from __future__ import annotations

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from taxi_assets.errors import WarehouseError
from taxi_assets.ownership import COMMENT_PREFIX


def find(client: bigquery.Client, dataset: str, name: str) -> bigquery.Table | None:
    """The table or view of that name; None if nothing has that name.

    Args:
        client: The client.
        dataset: Project and dataset.
        name: Name of the table.
    """
    try:
        return client.get_table(f"{dataset}.{name}")
    except NotFound:
        return None


def find_own(client: bigquery.Client, dataset: str, name: str) -> bigquery.Table | None:
    """The table or view of that name, which must be one of this project; None if nothing has that name.

    Raises:
        WarehouseError: It belongs to another program.
    """
    table = find(client, dataset, name)
    if table is not None and not (table.description or "").startswith(COMMENT_PREFIX):
        raise WarehouseError(
            f"There is a table {dataset}.{name} that this project did not create: nothing was changed; rename it, or "
            "set GCP_DATASET to another dataset, then run again."
        )
    return table


def drop_own(client: bigquery.Client, dataset: str, name: str) -> None:
    """Drop the table or view of that name, if it exists.

    Raises:
        WarehouseError: It belongs to another program.
    """
    if find_own(client, dataset, name) is not None:
        client.delete_table(f"{dataset}.{name}", not_found_ok=True)
