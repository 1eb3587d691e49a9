"""Finds and deletes what this project has made in Google Cloud, and nothing else.

Ours are tables and views whose description or label says so, and objects whose metadata says so. The dataset and the
bucket themselves go only if their labels say that ``gcp_setup`` made them and nothing of anybody else is left in them.
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
    """What there is in a dataset or a bucket, and what becomes of it.

    Attributes:
        place: The dataset or bucket, as messages name it.
        ours: Names of our tables or objects, to be deleted.
        foreign: Names of what stays.
        goes: Whether the dataset or bucket itself is deleted too.
        because: Why it stays, if it does.
    """

    place: str
    ours: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    goes: bool = False
    because: str = ""

    def lines(self, *, dry_run: bool) -> Sequence[str]:
        """What is or would be done, as sentences."""
        verb = "would be deleted" if dry_run else "deleted"
        lines = [f"{self.place}: {len(self.ours):,} of ours {verb}, {len(self.foreign):,} of others left alone"]
        lines += [f"{self.place}: {name} {verb}" for name in self.ours]
        lines.append(f"{self.place} itself {verb}" if self.goes else f"{self.place} itself stays: {self.because}")
        return lines


def empty_dataset(resource: BigQueryDataset, log: logging.Logger, *, dry_run: bool) -> Remains:
    """Delete our tables and views, then the dataset if it is ours and nothing is left.

    Raises:
        SettingsError: A setting is missing.
        WarehouseError: A permission is missing, or Google Cloud doesn't answer.
    """
    remains = Remains(f"dataset {resource.place}")
    with (
        translated_errors("empty the dataset", resource.place),
        resource.get_client() as client,
    ):
        try:
            dataset = client.get_dataset(resource.dataset_name)
        except NotFound:
            remains.because = "there is none"
            return remains
        tables = [client.get_table(item.reference) for item in client.list_tables(dataset)]
        ours = [
            table
            for table in tables
            # What dbt makes has our label, since its descriptions are those of the models.
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
    """Delete our objects, then the bucket if it is ours and nothing is left.

    Raises:
        SettingsError: A setting is missing.
        WarehouseError: A permission is missing, or Google Cloud doesn't answer.
    """
    name = resource.bucket_name
    remains = Remains(f"bucket {name}")
    with translated_errors("empty the bucket", f"gs://{name}"):
        bucket = resource.get_client().lookup_bucket(name)
        if bucket is None:
            remains.because = "there is none"
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
        remains.because = "gcp_setup did not make it"
    elif there:
        remains.because = f"{there:,} in it are somebody else's"
    else:
        remains.goes = True


def _delete_object(blob: storage.Blob, remains: Remains, log: logging.Logger) -> None:
    try:
        # What somebody has put in its place since we looked is not ours to delete.
        blob.delete(if_generation_match=blob.generation)
    except NotFound:
        return
    except PreconditionFailed:
        remains.ours.remove(blob.name)
        remains.foreign.append(blob.name)
        remains.goes, remains.because = False, f"{blob.name} was replaced at this very moment"
        return
    log.info(f"{remains.place}: {blob.name} deleted")


def _delete_dataset(client: bigquery.Client, dataset: bigquery.Dataset, remains: Remains) -> None:
    if not remains.goes:
        return
    try:
        client.delete_dataset(dataset, delete_contents=False, not_found_ok=True)
    except BadRequest:
        remains.goes, remains.because = False, "something came into it at this very moment"


def _delete_bucket(bucket: storage.Bucket, remains: Remains) -> None:
    if not remains.goes:
        return
    try:
        bucket.delete()
    except Conflict:
        remains.goes, remains.because = False, "something came into it at this very moment, or is being uploaded"
