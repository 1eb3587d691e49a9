"""A bucket and a dataset as Dagster resources: the library's own, with what is missing from them.

They take an emulator's address, a key that never touches a file or an environment variable of its own, and the
name of the one bucket or dataset that is worked with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster_gcp import BigQueryResource, GCSResource
from google.cloud import bigquery, storage
from pydantic import Field
from typing_extensions import override

from taxi_assets import settings
from taxi_assets.errors import SettingsError
from taxi_assets.gcp.credentials import find_credentials

_CREDENTIALS = "Path of a key file or the key's JSON; Application Default Credentials if there is none."
_ENDPOINT = "Address of an emulator, http://host:port; none for Google's own service."


class GcsBucket(GCSResource):
    """A bucket of Cloud Storage, and Dagster's own resource for assets that want a plain client."""

    bucket: str | None = Field(default=None, description="Name of the bucket.")
    location: str = Field(default=settings.DEFAULT_GCP_LOCATION, description="Where the bucket is made.")
    gcp_credentials: str | None = Field(default=None, description=_CREDENTIALS)
    endpoint: str | None = Field(default=None, description=_ENDPOINT)

    @property
    def bucket_name(self) -> str:
        """Name of the bucket.

        Raises:
            SettingsError: None is set.
        """
        return required(self.bucket, settings.GCP_BUCKET)

    @property
    def is_emulated(self) -> bool:
        """Whether this is an emulator rather than Google's own service."""
        return self.endpoint is not None

    @override
    def get_client(self) -> storage.Client:
        """A client, with no bucket chosen yet.

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
        """The resource itself, where the library would make a client for each step."""
        return self


class BigQueryDataset(BigQueryResource):
    """A dataset of BigQuery, and Dagster's own resource for assets that want a plain client."""

    dataset: str | None = Field(default=None, description="Name of the dataset.")
    location: str = Field(default=settings.DEFAULT_GCP_LOCATION, description="Where the dataset is, and jobs run.")
    gcp_credentials: str | None = Field(default=None, description=_CREDENTIALS)
    endpoint: str | None = Field(default=None, description=_ENDPOINT)
    maximum_bytes_billed: int | None = Field(
        default=settings.DEFAULT_MAXIMUM_BYTES_BILLED,
        description="A query that would bill more fails and costs nothing.",
    )

    @property
    def dataset_name(self) -> str:
        """Name of the dataset, without the project.

        Raises:
            SettingsError: None is set.
        """
        return required(self.dataset, settings.GCP_DATASET)

    @property
    def place(self) -> str:
        """The dataset as messages name it, with its project.

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
        """A client for the length of a block.

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

    @override
    def get_object_to_set_on_execution_context(self) -> Any:
        """The resource itself, where the library would make a client for each step."""
        return self


def required(value: str | None, setting: settings.Setting) -> str:
    """The value of a setting that must be there.

    Raises:
        SettingsError: It isn't; the sentence names the variable.
    """
    if not value:
        raise SettingsError(f"{setting} is not set: set it, as Google Cloud is switched on by {settings.GCP_PROJECT}.")
    return value
