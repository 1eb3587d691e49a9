"""Sends statements to the dataset, with translated errors, labels, and a limit for the bytes that they may bill."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from pydantic import PrivateAttr
from typing_extensions import override

from taxi_assets.errors import SettingsError
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.resources import BigQueryDataset
from taxi_assets.warehouses.bigquery.query import run_statement
from taxi_assets.warehouses.bigquery.statements import render_statement


class BigQueryConnection(BigQueryDataset):
    """A dataset of BigQuery, with the statements of the folder ``sql``."""

    _run_id: str | None = PrivateAttr(default=None)

    @override
    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Record the run's id for the labels of its jobs."""
        self._run_id = context.run.run_id if context.run else None

    @contextmanager
    def connection(self, action: str) -> Iterator[bigquery.Client]:
        """A client for the duration of a block, whose errors are translated.

        Args:
            action: What the block does, for messages: "load green_tripdata_2019_01".

        Raises:
            TaxiAssetsError: What went wrong in the block.
        """
        with translated_errors(action, self.place), self.get_client() as client:
            try:
                yield client
            except NotFound as error:
                # Google's message is the same for a dataset that is missing, elsewhere, or hidden from the account.
                raise self._explain_missing_dataset(client) or error from error

    def run(
        self, client: bigquery.Client, template: str, *, labels: Mapping[str, str] | None = None, **values: Any
    ) -> bigquery.QueryJob:
        """Run a statement of the folder ``sql``, and wait until it is done.

        Args:
            client: The client.
            template: Name of the template, without ``.sql``.
            labels: Labels of the job; by default, those of this run. A table that the statement creates gets those of
                them that describe its content.
            values: Values for the template.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: BigQuery refused the statement.
        """
        labels = labels or self.run_labels()
        of_content = {name: value for name, value in labels.items() if name != "run"}
        statement = render_statement(template, self.place, labels=of_content, **values)
        return self.run_sql(client, statement, labels=labels)

    def run_sql(
        self, client: bigquery.Client, statement: str, *, labels: Mapping[str, str] | None = None
    ) -> bigquery.QueryJob:
        """Run any statement, and wait until it is done.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: BigQuery refused the statement.
        """
        return run_statement(
            client, statement, labels=labels or self.run_labels(), maximum_bytes_billed=self.maximum_bytes_billed
        )

    def run_labels(self) -> Mapping[str, str]:
        """The labels of every job of this run."""
        return {"made_by": "taxi_assets", **({"run": self._run_id} if self._run_id else {})}

    def _explain_missing_dataset(self, client: bigquery.Client) -> SettingsError | None:
        try:
            location = client.get_dataset(self.place).location
        except NotFound:
            return SettingsError(
                f"The dataset {self.place} does not exist: run the job gcp_setup, which creates it, or correct "
                "GCP_DATASET."
            )
        if location.lower() != self.location.lower():
            return SettingsError(
                f"{self.place} is in {location}, but GCP_LOCATION is {self.location}: set it to {location}."
            )
        return None
