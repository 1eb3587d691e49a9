"""A project in an account of Google Cloud that ``TAXI_TEST_GCP_PROJECT`` names, or on emulators where none is named.

Its bucket and its dataset are made for one test and deleted at its end, whatever happens.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.cloud import bigquery
from typing_extensions import override

from emulators.running import PROJECT, Emulators
from taxi_assets.gcp.admin.setup import prepare_bucket, prepare_dataset
from taxi_assets.gcp.admin.teardown import Remains, empty_bucket, empty_dataset
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.statements import render_statement
from taxi_assets.warehouses.bigquery.warehouse import BigQueryWarehouse
from taxi_assets.warehouses.measures import profile_statement
from taxi_assets.warehouses.trip_tables import column_names
from taxi_assets_tests.gcp.project import GcpProject

VARIABLE = "TAXI_TEST_GCP_PROJECT"
MAXIMUM_BYTES_BILLED = 1024**3
"""A gibibyte for a statement, far more than the small months need."""

LOG = logging.getLogger(__name__)


class AccountProject(GcpProject):
    """A project whose bucket and dataset have a random suffix."""

    def __init__(self, folder: Path, emulators: Emulators) -> None:
        suffix = uuid.uuid4().hex[:12]
        named = os.environ.get(VARIABLE, "")
        if named:
            emulators = replace(emulators, storage="", bigquery="", bigquery_storage="")
        self.project = named or PROJECT
        super().__init__(folder, emulators, names=(f"taxi-assets-test-{suffix}", f"taxi_assets_test_{suffix}"))

    @property
    def is_real(self) -> bool:
        """Whether this is the service itself."""
        return not self.emulators.bigquery

    @override
    def objects(self) -> GcsBucket:
        return super().objects().model_copy(update={"location": _location()})

    @override
    def bigquery(self, **settings: Any) -> BigQueryWarehouse:
        chosen = {"maximum_bytes_billed": MAXIMUM_BYTES_BILLED, "location": _location()}
        return super().bigquery(**(chosen | settings))

    @override
    def set_up(self) -> None:
        prepare_bucket(self.objects(), LOG, storage_class="STANDARD", delete_files_after_days=1)
        prepare_dataset(self.bigquery(), LOG)

    def tear_down(self) -> list[Remains]:
        """Delete what the project made; by our own job first, and then whatever that has left."""
        remains = [
            empty_dataset(self.bigquery(), LOG, dry_run=False),
            empty_bucket(self.objects(), LOG, dry_run=False),
        ]
        with self.client() as client:
            client.delete_dataset(self.dataset, delete_contents=True, not_found_ok=True)
        bucket = self.storage_client().lookup_bucket(self.bucket)
        if bucket is not None:
            bucket.delete(force=True)
        return remains


@contextmanager
def account(folder: Path, emulators: Emulators) -> Iterator[AccountProject]:
    """A project with an empty bucket and dataset, which are deleted at the end."""
    project = AccountProject(folder, emulators)
    try:
        project.set_up()
        yield project
    finally:
        project.tear_down()


def add_copies(project: AccountProject, taxi: Taxi, month: Month, first: Month, count: int) -> None:
    """Fill the main table with copies of a month under the names of that many others."""
    names = [name for name in column_names(taxi, DIALECT) if name != "file_month"]
    columns = ", ".join(f"`{name}`" for name in names)
    for _ in range(count):
        project.query(
            f"INSERT INTO `{taxi.table}` (`file_month`, {columns}) SELECT DATE '{first.first_day}', {columns} "
            f"FROM `{taxi.table}` WHERE `file_month` = DATE '{month.first_day}'"
        )
        first = first.next()


def bytes_of(project: AccountProject, taxi: Taxi, month: Month) -> Mapping[str, int]:
    """What BigQuery estimates that the merge, the profile and the removal of a month read, by a dry run."""
    place = project.bigquery().place
    main = DIALECT.quoting.identifier(f"{place}.{taxi.table}")
    values = {"taxi": taxi, "month": month, "labels": {}}
    statements = {
        "merge": render_statement("merge_month", place, **values),
        "profile": profile_statement(taxi, DIALECT, month, main),
        "removal": render_statement("delete_month", place, **values),
    }
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    with project.client() as client:
        return {
            name: int(client.query(statement, job_config=config).total_bytes_processed or 0)
            for name, statement in statements.items()
        }


def _location() -> str:
    return os.environ.get("TAXI_TEST_GCP_LOCATION", "US")
