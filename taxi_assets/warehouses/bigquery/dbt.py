"""How dbt reaches the dataset, and whether it finds the main tables there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from google.api_core.exceptions import NotFound

from taxi_assets.errors import DbtError
from taxi_assets.gcp.credentials import fresh_token, read_key
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets.warehouses.kind import SourceTable

_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, and Google's own default


def prepare_dbt(warehouse: BigQueryWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`."""
    with warehouse.connection("prepare dbt") as client:
        client.get_dataset(warehouse.place)
    return {
        "TAXI_DBT_BIGQUERY_PROJECT": str(warehouse.project),
        "TAXI_DBT_BIGQUERY_DATASET": warehouse.dataset_name,
        "TAXI_DBT_BIGQUERY_LOCATION": warehouse.location,
        "DBT_DATABASE": str(warehouse.project),
        "DBT_SCHEMA": warehouse.dataset_name,
        "TAXI_DBT_BIGQUERY_MAXIMUM_BYTES": str(warehouse.maximum_bytes_billed or 0),
        **_credentials(warehouse),
    }


@contextmanager
def show_to_dbt(
    warehouse: BigQueryWarehouse,
    tables: Sequence[SourceTable],
    folder: Path,  # noqa: ARG001 - no files are needed here
) -> Iterator[Mapping[str, str]]:
    """See :class:`taxi_assets.warehouses.kind.ShowToDbt`.

    Nothing is created in other datasets. A table of that name that somebody else has put there is used.
    """
    with warehouse.connection("show dbt the main tables") as client:
        for table in tables:
            if f"{table.database}.{table.schema}" == warehouse.place:
                continue
            try:
                client.get_table(str(table))
            except NotFound:
                raise DbtError(
                    f"The dbt project reads {table}, which does not exist, and the trips are in {warehouse.place}: set "
                    f"GCP_PROJECT_ID to {table.database} and GCP_DATASET to {table.schema}, or the variables that the "
                    "dbt project reads to those."
                ) from None
    yield {}


def _credentials(warehouse: BigQueryWarehouse) -> Mapping[str, str]:
    """The parts of the key as variables, so that no key is written to a file.

    There are none if Application Default Credentials are used.
    """
    if warehouse.endpoint:
        return {
            "TAXI_DBT_BIGQUERY_METHOD": "oauth-secrets",
            "DBT_ENV_SECRET_BIGQUERY_TOKEN": "emulator",
            "TAXI_DBT_BIGQUERY_ENDPOINT": warehouse.endpoint,
        }
    if not warehouse.gcp_credentials:
        return {}
    key = read_key(warehouse.gcp_credentials)
    token_uri = str(key.get("token_uri") or _TOKEN_URI)
    if key.get("type") == "authorized_user":
        return {
            "TAXI_DBT_BIGQUERY_METHOD": "oauth-secrets",
            "DBT_ENV_SECRET_BIGQUERY_REFRESH_TOKEN": str(key.get("refresh_token", "")),
            "TAXI_DBT_BIGQUERY_CLIENT_ID": str(key.get("client_id", "")),
            "DBT_ENV_SECRET_BIGQUERY_CLIENT_SECRET": str(key.get("client_secret", "")),
            "TAXI_DBT_BIGQUERY_TOKEN_URI": token_uri,
        }
    if key.get("type") == "service_account":
        return {
            "TAXI_DBT_BIGQUERY_METHOD": "service-account-json",
            "TAXI_DBT_BIGQUERY_KEY_PROJECT": str(key.get("project_id", "")),
            "TAXI_DBT_BIGQUERY_KEY_EMAIL": str(key.get("client_email", "")),
            "DBT_ENV_SECRET_BIGQUERY_PRIVATE_KEY": str(key.get("private_key", "")),
            "TAXI_DBT_BIGQUERY_TOKEN_URI": token_uri,
        }
    # dbt takes no other kind of key, but any token.
    with translated_errors("sign in", warehouse.place):
        token = fresh_token(warehouse.gcp_credentials)
    return {"TAXI_DBT_BIGQUERY_METHOD": "oauth-secrets", "DBT_ENV_SECRET_BIGQUERY_TOKEN": token}
