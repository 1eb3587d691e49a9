"""How dbt reaches the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from taxi_assets.gcp.credentials import fresh_token, read_key
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse

_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, and Google's own default


def prepare_dbt(warehouse: BigQueryWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`."""
    with warehouse.connection("prepare dbt") as client:
        client.get_dataset(warehouse.place)
    return {
        "TAXI_DBT_BIGQUERY_PROJECT": str(warehouse.project),
        "TAXI_DBT_BIGQUERY_DATASET": warehouse.dataset_name,
        "TAXI_DBT_BIGQUERY_LOCATION": warehouse.location,
        "TAXI_DBT_BIGQUERY_MAXIMUM_BYTES": str(warehouse.maximum_bytes_billed or 0),
        **_credentials(warehouse),
    }


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
