"""Makes what Google Cloud must have before the first load: a bucket and a dataset. What is there is left as it is."""

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
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket
from taxi_assets.ownership import COMMENT_PREFIX, MADE_BY, is_ours

_DATASET_NAME: Final = re.compile(r"\w{1,1024}", re.ASCII)
_DAYS_OF_BROKEN_UPLOADS: Final = 7


@dataclass(frozen=True)
class Prepared:
    """A bucket or a dataset that is there now.

    Attributes:
        name: Its name.
        location: Where it is.
        made: Whether this call made it.
        ours: Whether this project made it, now or before, so that ``gcp_teardown`` may delete it.
    """

    name: str
    location: str
    made: bool
    ours: bool


def prepare_bucket(
    resource: GcsBucket, log: logging.Logger, *, storage_class: str, delete_files_after_days: int | None
) -> Prepared:
    """Make sure that the bucket is there, in the right place.

    A new one is closed to the public, knows no rights per object, drops the parts of broken uploads after a week, and
    deletes files after so many days if that is asked for.

    Raises:
        SettingsError: A setting is missing, or the bucket's name is none.
        WarehouseError: The name is somebody else's, the bucket lies elsewhere, or a permission is missing.
    """
    name, client = resource.bucket_name, resource.get_client()
    with translated_errors("make the bucket", f"gs://{name}"):
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
    _require_location(f"The bucket {name}", found.location, resource.location)
    log.info(f"The bucket {name} {'was made' if made else 'was there'} in {found.location}.")
    return Prepared(name, found.location, made=made, ours=is_ours(found.labels))


def prepare_dataset(resource: BigQueryDataset, log: logging.Logger) -> Prepared:
    """Make sure that the dataset is there, in the right place.

    Raises:
        SettingsError: A setting is missing, or the dataset's name is none.
        WarehouseError: The dataset lies elsewhere, or a permission is missing.
    """
    name = checked_dataset_name(resource.dataset_name)
    with (
        translated_errors("make the dataset", resource.place),
        resource.get_client() as client,
    ):
        try:
            found, made = client.get_dataset(name), False
        except NotFound:
            new = bigquery.Dataset(f"{client.project}.{name}")
            new.location = resource.location
            new.labels = dict(MADE_BY)
            new.description = f"{COMMENT_PREFIX}New York's taxi trips, by month and taxi."
            # Somebody else may have made it in between, which is as good.
            found, made = client.create_dataset(new, exists_ok=True), True
    _require_location(f"The dataset {resource.place}", found.location, resource.location)
    log.info(f"The dataset {resource.place} {'was made' if made else 'was there'} in {found.location}.")
    return Prepared(name, found.location, made=made, ours=is_ours(found.labels))


def checked_dataset_name(name: str) -> str:
    """The name, if a dataset can have it.

    Raises:
        SettingsError: It has a dash or something else that BigQuery doesn't take.
    """
    if not _DATASET_NAME.fullmatch(name):
        possible = re.sub(r"\W", "_", name, flags=re.ASCII)
        raise SettingsError(
            f"{settings.GCP_DATASET} is “{name}”, but a dataset's name has letters, digits and underscores only (no "
            f"dash): set it to {possible}, for example."
        )
    return name


def _lookup_bucket(client: storage.Client, name: str) -> storage.Bucket | None:
    try:
        return client.lookup_bucket(name)
    except Forbidden as error:
        raise WarehouseError(
            f"The bucket {name} exists, but these credentials may not look at it: if it is somebody else's, set "
            f"{settings.GCP_BUCKET} to another name, as names are shared by all of Google Cloud, and if it is yours, "
            "have storage.buckets.get granted."
        ) from error
    except ValueError as error:
        raise _no_bucket_name(name) from error


def _create_bucket(client: storage.Client, new: storage.Bucket, location: str) -> storage.Bucket:
    try:
        return client.create_bucket(new, location=location)
    except Conflict as error:
        # Another run may have made it in this very moment; a stranger's bucket can't be looked at.
        ours = _lookup_bucket(client, new.name)
        if ours is not None:
            return ours
        raise WarehouseError(
            f"The name {new.name} is taken by somebody else's bucket: set {settings.GCP_BUCKET} to another name, as "
            "names are shared by all of Google Cloud."
        ) from error
    except BadRequest as error:
        raise _no_bucket_name(new.name) from error


def _no_bucket_name(name: str) -> SettingsError:
    return SettingsError(
        f"Google Cloud refuses a bucket with {settings.GCP_BUCKET} “{name}” and these settings: a name has 3 to 63 "
        f"lower case letters, digits, dashes and dots, and {settings.GCP_LOCATION} must be a location that "
        "Google Cloud has."
    )


def _require_location(what: str, found: str, wanted: str) -> None:
    if found.upper() != wanted.upper():
        raise WarehouseError(
            f"{what} lies in {found}, but {settings.GCP_LOCATION} is {wanted}, and BigQuery reads files only where the "
            f"dataset is: set {settings.GCP_LOCATION} to {found}, or choose another name."
        )
