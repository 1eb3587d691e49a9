"""Creates the bucket and the dataset that the first load needs. What already exists is not changed."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final

from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import bigquery, storage

from taxi_assets import settings
from taxi_assets.errors import SettingsError, WarehouseError
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.locations import can_read
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket
from taxi_assets.ownership import COMMENT_PREFIX, MADE_BY, is_ours

_DATASET_NAME: Final = re.compile(r"\w{1,1024}", re.ASCII)
_DAYS_OF_BROKEN_UPLOADS: Final = 7
_MILLISECONDS_OF_A_DAY: Final = 86_400_000


@dataclass(frozen=True)
class Prepared:
    """A bucket or a dataset that exists now.

    Attributes:
        name: Its name.
        location: Its location.
        made: Whether this call created it.
        ours: Whether this project created it, now or before, so that ``gcp_teardown`` may delete it.
    """

    name: str
    location: str
    made: bool
    ours: bool


def prepare_bucket(
    resource: GcsBucket, log: logging.Logger, *, storage_class: str, delete_files_after_days: int | None
) -> Prepared:
    """Make sure that the bucket exists, in the right location.

    A new bucket is not public, has uniform access instead of rights per object, deletes the parts of broken uploads
    after a week, and deletes files after ``delete_files_after_days``, if that is given.

    Raises:
        SettingsError: A setting is missing, or the bucket's name is not valid.
        WarehouseError: The bucket belongs to another account or is in another location, or a permission is missing.
    """
    name, client = resource.bucket_name, resource.get_client()
    with translated_errors("create the bucket", f"gs://{name}"):
        found = _lookup_bucket(client, name)
        made = found is None
        if found is None:
            new = client.bucket(name)
            new.storage_class = storage_class
            new.labels = dict(MADE_BY)
            new.iam_configuration.uniform_bucket_level_access_enabled = True
            new.iam_configuration.public_access_prevention = "enforced"
            new.add_lifecycle_abort_incomplete_multipart_upload_rule(age=_DAYS_OF_BROKEN_UPLOADS)
            if delete_files_after_days is not None:
                new.add_lifecycle_delete_rule(age=delete_files_after_days)
            found = _create_bucket(client, new, resource.location)
    if not can_read(resource.location, found.location):
        raise _wrong_location(f"The bucket {name}", found.location, resource.location)
    log.info(f"The bucket {name} {'was created' if made else 'already exists'} in {found.location}.")
    return Prepared(name, found.location, made=made, ours=is_ours(found.labels))


def prepare_dataset(resource: BigQueryDataset, log: logging.Logger) -> Prepared:
    """Make sure that the dataset exists, in the right location.

    Raises:
        SettingsError: A setting is missing, or the dataset's name is not valid.
        WarehouseError: The dataset is in another location, or a permission is missing.
    """
    name = checked_dataset_name(resource.dataset_name)
    with (
        translated_errors("create the dataset", resource.place),
        resource.get_client() as client,
    ):
        try:
            found, made = client.get_dataset(name), False
        except NotFound:
            new = bigquery.Dataset(f"{client.project}.{name}")
            new.location = resource.location
            new.labels = dict(MADE_BY)
            new.description = f"{COMMENT_PREFIX}New York's taxi trips, by month and taxi."
            # Another program may have created it in between, which is just as good.
            found, made = client.create_dataset(new, exists_ok=True), True
    if found.location.upper() != resource.location.upper():
        raise _wrong_location(f"The dataset {resource.place}", found.location, resource.location)
    for sentence in expirations(found):
        log.warning(f"The dataset {resource.place} {sentence}")
    log.info(f"The dataset {resource.place} {'was created' if made else 'already exists'} in {found.location}.")
    return Prepared(name, found.location, made=made, ours=is_ours(found.labels))


def checked_dataset_name(name: str) -> str:
    """The name, if it is valid for a dataset.

    Raises:
        SettingsError: It contains a dash or another character that BigQuery does not accept.
    """
    if not _DATASET_NAME.fullmatch(name):
        possible = re.sub(r"\W", "_", name, flags=re.ASCII)
        raise SettingsError(
            f"{settings.GCP_DATASET} is “{name}”, but a dataset's name can contain only letters, digits and "
            f"underscores (no dash): set it to {possible}, for example."
        )
    return name


def _lookup_bucket(client: storage.Client, name: str) -> storage.Bucket | None:
    try:
        return client.lookup_bucket(name)
    except Forbidden as error:
        raise WarehouseError(
            f"The bucket {name} exists, but these credentials are not allowed to look it up: if it is yours, grant "
            f"them storage.buckets.get; if it is another account's, set {settings.GCP_BUCKET} to another name, because "
            "a bucket's name must be unique in all of Google Cloud."
        ) from error
    except ValueError as error:
        raise _invalid_bucket(name) from error


def _create_bucket(client: storage.Client, new: storage.Bucket, location: str) -> storage.Bucket:
    try:
        return client.create_bucket(new, location=location)
    except Conflict as error:
        # Another run may have created it at the same moment; a bucket of another account can't be looked up.
        ours = _lookup_bucket(client, new.name)
        if ours is not None:
            return ours
        raise WarehouseError(
            f"The name {new.name} is taken by another account's bucket: set {settings.GCP_BUCKET} to another name, "
            "because a bucket's name must be unique in all of Google Cloud."
        ) from error
    except BadRequest as error:
        raise _invalid_bucket(new.name) from error


def _invalid_bucket(name: str) -> SettingsError:
    return SettingsError(
        f"Google Cloud can't create the bucket of {settings.GCP_BUCKET} “{name}”: set it to a name of 3 to 63 "
        f"lower-case letters, digits, dashes and dots, and {settings.GCP_LOCATION} to a location of Google Cloud."
    )


def expirations(dataset: bigquery.Dataset) -> list[str]:
    """Sentences about the defaults with which a dataset deletes new tables and partitions; their subject is missing.

    Tables of trips are kept all the same, by ``taxi_assets.warehouses.bigquery.expiration``.
    """
    defaults = {
        "tables": dataset.default_table_expiration_ms,
        "partitions": dataset.default_partition_expiration_ms,
    }
    return [
        f"deletes {what} after {int(milliseconds) / _MILLISECONDS_OF_A_DAY:g} days by default: the tables of trips and "
        "of dbt's models are kept, but those of other assets are not; remove the default in the console, or link a "
        "billing account if this is the free sandbox, which deletes every table."
        for what, milliseconds in defaults.items()
        if milliseconds
    ]


def _wrong_location(what: str, found: str, wanted: str) -> WarehouseError:
    return WarehouseError(
        f"{what} is in {found}, but {settings.GCP_LOCATION} is {wanted}, and BigQuery reads files only in the "
        f"dataset's location: set {settings.GCP_LOCATION} to {found}, or choose another name."
    )
