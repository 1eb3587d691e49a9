"""How the Google Cloud project is reached, from environment variables.

================================  ===================================================================================
``GCP_PROJECT_ID``                the project; its presence switches Google Cloud on
``GCP_LOCATION``                  where bucket and dataset are, and where jobs run; default ``US``
``GCP_BUCKET_NAME``               the bucket that raw files are kept in
``GCP_DATASET``                   the dataset that tables are kept in
``GCP_CREDS``                     path of a key file, or the key's JSON; Application Default Credentials if unset
``TAXI_GCP_MAXIMUM_BYTES_BILLED`` a query that would bill more fails and costs nothing; default 100 GiB, 0 for no limit
``TAXI_GCP_KEEP_TABLES``          ``yes`` keeps a month's external and monthly table after the merge; default ``no``
``STORAGE_EMULATOR_HOST``         address of an emulator of Cloud Storage, ``http://127.0.0.1:9023``
``BIGQUERY_EMULATOR_HOST``        address of an emulator of BigQuery
================================  ===================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from taxi_assets.errors import SettingsError
from taxi_assets.settings import switch

PROJECT: Final = "GCP_PROJECT_ID"
LOCATION: Final = "GCP_LOCATION"
BUCKET: Final = "GCP_BUCKET_NAME"
DATASET: Final = "GCP_DATASET"
CREDENTIALS: Final = "GCP_CREDS"
MAXIMUM_BYTES_BILLED: Final = "TAXI_GCP_MAXIMUM_BYTES_BILLED"
KEEP_TABLES: Final = "TAXI_GCP_KEEP_TABLES"
STORAGE_EMULATOR: Final = "STORAGE_EMULATOR_HOST"
BIGQUERY_EMULATOR: Final = "BIGQUERY_EMULATOR_HOST"

DEFAULT_LOCATION: Final = "US"
DEFAULT_MAXIMUM_BYTES_BILLED: Final = 100 * 1024**3


def is_configured() -> bool:
    """Whether anything says which project to work in."""
    return bool(os.environ.get(PROJECT))


def project_fields() -> Mapping[str, Any]:
    """The fields that all of Google Cloud's resources share.

    Credentials are handed on by the name of their variable, so that no key enters Dagster's configuration.
    """
    return {
        "project": os.environ.get(PROJECT),
        "location": os.environ.get(LOCATION) or DEFAULT_LOCATION,
        "gcp_credentials": dg.EnvVar(CREDENTIALS) if os.environ.get(CREDENTIALS) else None,
    }


def bucket_fields() -> Mapping[str, Any]:
    """The fields of :class:`taxi_assets.gcp.resources.GcsBucket`."""
    return {
        **project_fields(),
        "bucket": os.environ.get(BUCKET),
        "endpoint": _endpoint(STORAGE_EMULATOR),
    }


def dataset_fields() -> Mapping[str, Any]:
    """The fields of :class:`taxi_assets.gcp.resources.BigQueryDataset`.

    Raises:
        SettingsError: TAXI_GCP_MAXIMUM_BYTES_BILLED is not a whole number.
    """
    return {
        **project_fields(),
        "dataset": os.environ.get(DATASET),
        "endpoint": _endpoint(BIGQUERY_EMULATOR),
        "maximum_bytes_billed": _maximum_bytes_billed(),
    }


def keep_tables() -> bool:
    """Whether a month's external and monthly table stay after the month was merged.

    Raises:
        SettingsError: TAXI_GCP_KEEP_TABLES is neither yes nor no.
    """
    return switch(KEEP_TABLES, default=False)


def _maximum_bytes_billed() -> int | None:
    value = os.environ.get(MAXIMUM_BYTES_BILLED) or str(DEFAULT_MAXIMUM_BYTES_BILLED)
    if not value.isdecimal():
        raise SettingsError(
            f"{MAXIMUM_BYTES_BILLED} is “{value}”: set it to a whole number of bytes, or 0 for no limit."
        )
    return int(value) or None


def _endpoint(variable: str) -> str | None:
    """An emulator's address with the scheme that Google's libraries want in front of it."""
    value = os.environ.get(variable)
    if not value:
        return None
    return value if value.startswith(("http://", "https://")) else f"http://{value}"
