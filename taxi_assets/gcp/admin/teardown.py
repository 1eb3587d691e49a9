"""Finds and deletes what this project has created in Google Cloud, and nothing else.

Its tables and views are recognised by their description or label, its objects by their metadata. The dataset and the
bucket themselves are deleted only if their labels show that ``gcp_setup`` created them, and if they are empty then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import bigquery, storage

from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket
from taxi_assets.ownership import COMMENT_PREFIX, is_ours


@dataclass
class Remains:
    """The content of a dataset or a bucket, and what happens to it.

    Attributes:
        place: The dataset or bucket, as it is named in messages.
        ours: Names of this project's tables or objects, which are deleted.
        foreign: Names of other tables or objects, which stay.
        goes: Whether the dataset or bucket itself is deleted too.
        because: Why the dataset or bucket stays, if it does.
    """

    place: str
    ours: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    goes: bool = False
    because: str = ""

    def lines(self, *, dry_run: bool) -> Sequence[str]:
        """What was or would be done, as sentences."""
        verb = "would be deleted" if dry_run else "deleted"
        lines = [f"{self.place}: {len(self.ours):,} of this project {verb}, {len(self.foreign):,} of others kept"]
        lines += [f"{self.place}: {name} {verb}" for name in self.ours]
        lines.append(f"{self.place} itself {verb}" if self.goes else f"{self.place} itself stays: {self.because}")
        return lines


def empty_dataset(resource: BigQueryDataset, log: logging.Logger, *, dry_run: bool) -> Remains:
    """Delete this project's tables and views, then the dataset if this project created it and it is empty.

    Raises:
        SettingsError: A setting is missing.
        WarehouseError: A permission is missing, or Google Cloud does not answer.
    """
    remains = Remains(f"dataset {resource.place}")
    with (
        translated_errors("empty the dataset", resource.place),
        resource.get_client() as client,
    ):
        try:
            dataset = client.get_dataset(resource.dataset_name)
        except NotFound:
            remains.because = "it does not exist"
            return remains
        tables = [client.get_table(item.reference) for item in client.list_tables(dataset)]
        ours = [
            table
            for table in tables
            # dbt's tables have the project's label, because their descriptions are those of the models.
            if (table.description or "").startswith(COMMENT_PREFIX) or is_ours(table.labels)
        ]
        remains.ours = [table.table_id for table in ours]
        remains.foreign = [table.table_id for table in tables if table not in ours]
        _decide(remains, made_by_us=is_ours(dataset.labels), there=len(remains.foreign))
        if not dry_run:
            # Views first: between the two deletions, a view without its table would be an error to readers.
            for table in sorted(ours, key=lambda table: table.table_type != "VIEW"):
                client.delete_table(table, not_found_ok=True)
                log.info(f"{remains.place}: {table.table_id} deleted")
            _delete_dataset(client, dataset, remains)
    return remains


def empty_bucket(resource: GcsBucket, log: logging.Logger, *, dry_run: bool) -> Remains:
    """Delete this project's objects, then the bucket if this project created it and it is empty.

    Raises:
        SettingsError: A setting is missing.
        WarehouseError: A permission is missing, or Google Cloud does not answer.
    """
    name = resource.bucket_name
    remains = Remains(f"bucket {name}")
    with translated_errors("empty the bucket", f"gs://{name}"):
        bucket = resource.get_client().lookup_bucket(name)
        if bucket is None:
            remains.because = "it does not exist"
            return remains
        blobs = list(bucket.list_blobs())
        ours = [blob for blob in blobs if is_ours(blob.metadata)]
        remains.ours = [blob.name for blob in ours]
        remains.foreign = [blob.name for blob in blobs if blob not in ours]
        _decide(remains, made_by_us=is_ours(bucket.labels), there=len(remains.foreign))
        if not dry_run:
            for blob in ours:
                _delete_object(blob, remains, log)
            _delete_bucket(bucket, remains)
    return remains


def _decide(remains: Remains, *, made_by_us: bool, there: int) -> None:
    if not made_by_us:
        remains.because = "gcp_setup did not create it"
    elif there:
        remains.because = f"it contains {there:,} not created by this project"
    else:
        remains.goes = True


def _delete_object(blob: storage.Blob, remains: Remains, log: logging.Logger) -> None:
    try:
        # Another program may have replaced the object since it was listed; then it must not be deleted.
        blob.delete(if_generation_match=blob.generation)
    except NotFound:
        return
    except PreconditionFailed:
        remains.ours.remove(blob.name)
        remains.foreign.append(blob.name)
        remains.goes, remains.because = False, f"{blob.name} was replaced in the meantime"
        return
    log.info(f"{remains.place}: {blob.name} deleted")


def _delete_dataset(client: bigquery.Client, dataset: bigquery.Dataset, remains: Remains) -> None:
    if not remains.goes:
        return
    try:
        client.delete_dataset(dataset, delete_contents=False, not_found_ok=True)
    except BadRequest:
        remains.goes, remains.because = False, "something was added to it in the meantime"


def _delete_bucket(bucket: storage.Bucket, remains: Remains) -> None:
    if not remains.goes:
        return
    try:
        bucket.delete()
    except NotFound:
        return  # the answer to a first request was lost
    except Conflict:
        remains.goes, remains.because = False, "something was added to it in the meantime, or is being uploaded"
