"""A bucket and a dataset as Dagster resources, which extend those of dagster-gcp.

They add the address of an emulator, a key that is not written to a file or to another environment variable, and the
name of the bucket or dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster_gcp import BigQueryResource, GCSResource
from google.cloud import bigquery, storage
from pydantic import Field
from typing_extensions import override

from taxi_assets import settings
from taxi_assets.errors import SettingsError
from taxi_assets.gcp.credentials import find_credentials

if TYPE_CHECKING:
    from google.cloud.bigquery_storage import BigQueryReadClient

_CREDENTIALS = "Path of a key file, or the key's JSON. By default, Application Default Credentials are used."
_ENDPOINT = "Address of an emulator, http://host:port. By default, Google's own service is used."


class GcsBucket(GCSResource):
    """A bucket of Cloud Storage. Assets can also use it as Dagster's own resource, to get a plain client."""

    bucket: str | None = Field(default=None, description="Name of the bucket.")
    location: str = Field(default=settings.DEFAULT_GCP_LOCATION, description="Location of the bucket.")
    gcp_credentials: str | None = Field(default=None, description=_CREDENTIALS)
    endpoint: str | None = Field(default=None, description=_ENDPOINT)

    @property
    def bucket_name(self) -> str:
        """Name of the bucket.

        Raises:
            SettingsError: It is not set.
        """
        return required(self.bucket, settings.GCP_BUCKET)

    @property
    def is_emulated(self) -> bool:
        """Whether this is an emulator rather than Google's own service."""
        return self.endpoint is not None

    @override
    def get_client(self) -> storage.Client:
        """A client for all buckets of the project.

        Raises:
            SettingsError: There are no credentials, or no project is set.
        """
        return storage.Client(
            project=required(self.project, settings.GCP_PROJECT),
            credentials=find_credentials(self.gcp_credentials, endpoint=self.endpoint),
            client_options={"api_endpoint": self.endpoint} if self.endpoint else None,
        )

    @override
    def get_object_to_set_on_execution_context(self) -> Any:
        """The resource itself. The library's own would create a client for each step."""
        return self


class BigQueryDataset(BigQueryResource):
    """A dataset of BigQuery. Assets can also use it as Dagster's own resource, to get a plain client."""

    dataset: str | None = Field(default=None, description="Name of the dataset.")
    location: str = Field(default=settings.DEFAULT_GCP_LOCATION, description="Location of the dataset and its jobs.")
    gcp_credentials: str | None = Field(default=None, description=_CREDENTIALS)
    endpoint: str | None = Field(default=None, description=_ENDPOINT)
    storage_endpoint: str | None = Field(
        default=None,
        description="Emulator of the Storage Read API, host:port. By default, Google's own service is used.",
    )
    maximum_bytes_billed: int | None = Field(
        default=settings.DEFAULT_MAXIMUM_BYTES_BILLED,
        description="Most bytes that a query may bill. A query that would bill more fails and costs nothing.",
    )

    @property
    def dataset_name(self) -> str:
        """Name of the dataset, without the project.

        Raises:
            SettingsError: It is not set.
        """
        return required(self.dataset, settings.GCP_DATASET)

    @property
    def place(self) -> str:
        """Project and dataset, as they are named in messages.

        Raises:
            SettingsError: Project or dataset is not set.
        """
        return f"{required(self.project, settings.GCP_PROJECT)}.{self.dataset_name}"

    @property
    def is_emulated(self) -> bool:
        """Whether this is an emulator rather than Google's own service."""
        return self.endpoint is not None

    @contextmanager
    @override
    def get_client(self) -> Iterator[bigquery.Client]:
        """A client for the duration of a block.

        Raises:
            SettingsError: There are no credentials, or no project is set.
        """
        client = bigquery.Client(
            project=required(self.project, settings.GCP_PROJECT),
            location=self.location,
            credentials=find_credentials(self.gcp_credentials, endpoint=self.endpoint),
            client_options={"api_endpoint": self.endpoint} if self.endpoint else None,
        )
        with client:
            yield client

    @contextmanager
    def get_read_client(self) -> Iterator[BigQueryReadClient | None]:
        """A client of the Storage Read API for the duration of a block; None for an emulator that has no such API.

        Raises:
            SettingsError: There are no credentials.
        """
        if self.is_emulated and not self.storage_endpoint:
            yield None
            return
        # Only reading needs this library, which takes half a second to import.
        from google.cloud.bigquery_storage import BigQueryReadClient  # noqa: PLC0415

        if self.storage_endpoint:
            import grpc  # noqa: PLC0415
            from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (  # noqa: PLC0415
                BigQueryReadGrpcTransport,
            )

            # As the library does for the service: batches are larger than gRPC's default of 4 MiB.
            channel = grpc.insecure_channel(self.storage_endpoint, [("grpc.max_receive_message_length", -1)])
            client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))  # type: ignore[no-untyped-call]
        else:
            credentials = find_credentials(self.gcp_credentials, endpoint=None)
            client = BigQueryReadClient(credentials=credentials)  # type: ignore[no-untyped-call]
        with client:
            yield client

    @override
    def get_object_to_set_on_execution_context(self) -> Any:
        """The resource itself. The library's own would create a client for each step."""
        return self


def required(value: str | None, setting: settings.Setting) -> str:
    """The value of a setting that is required.

    Raises:
        SettingsError: It is missing; the message names the variable.
    """
    if not value:
        raise SettingsError(f"{setting} is not set: set it, because all assets in Google Cloud need it.")
    return value
