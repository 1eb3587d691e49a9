"""A bucket and a dataset of one's own in the emulators."""

from __future__ import annotations

from typing import Any

from emulators.running import PROJECT


def make_places(storage: str, bigquery_address: str, name: str) -> dict[str, Any]:
    """Make a bucket and a dataset, and return the settings of a warehouse in them."""
    from google.api_core.client_options import ClientOptions  # noqa: PLC0415 - it takes a second to import
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
    from google.cloud import bigquery  # noqa: PLC0415
    from google.cloud import storage as cloud_storage  # noqa: PLC0415

    bucket = name.replace("_", "-")
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    cloud_storage.Client(
        PROJECT,
        credentials=credentials,
        client_options=ClientOptions(api_endpoint=storage),
    ).create_bucket(bucket)
    options = ClientOptions(api_endpoint=bigquery_address)
    with bigquery.Client(PROJECT, credentials=credentials, client_options=options) as client:
        client.create_dataset(name)
    return {
        "project": PROJECT,
        "dataset": name,
        "endpoint": bigquery_address,
        "bucket": {"project": PROJECT, "bucket": bucket, "endpoint": storage},
    }
