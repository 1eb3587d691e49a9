"""Checks settings, access and permissions, and returns the findings as one table. The table contains no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from google.api_core.exceptions import Forbidden, NotFound
from google.cloud import bigquery

from taxi_assets import settings
from taxi_assets.errors import TaxiAssetsError, WarehouseError
from taxi_assets.gcp.admin.setup import checked_dataset_name, expirations
from taxi_assets.gcp.credentials import find_credentials
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.locations import can_read
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket

_BUCKET_PERMISSIONS: Final = (
    "storage.buckets.get",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)


class State(StrEnum):
    """The state of one line of the table."""

    OK = "ok"
    DEFAULT = "default"
    RISKY = "risky"
    MISSING = "missing"
    WRONG = "wrong"
    EMULATED = "emulated"


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        subject: A variable, or what was tried.
        state: Its state.
        detail: Its value, or a sentence about it.
    """

    subject: str
    state: State
    detail: str

    @property
    def is_good(self) -> bool:
        """Whether a load can work in this state."""
        return self.state not in (State.MISSING, State.WRONG)


def check(bucket: GcsBucket, dataset: BigQueryDataset) -> Sequence[Finding]:
    """Check the settings and, if they are good, try each thing that a load needs, whether or not others fail."""
    findings = [*_settings(bucket, dataset)]
    if not all(finding.is_good for finding in findings):
        return findings
    return [
        *findings,
        *_tried("credentials", lambda: _try_credentials(dataset)),
        *_tried(f"bucket {bucket.bucket_name}", lambda: _try_bucket(bucket)),
        *_tried(f"dataset {dataset.place}", lambda: _try_dataset(dataset)),
        *_tried("a query", lambda: _try_query(dataset)),
    ]


def as_text(findings: Sequence[Finding]) -> str:
    """The table as lines of text."""
    subjects = max(len(finding.subject) for finding in findings)
    states = max(len(finding.state) for finding in findings)
    return "\n".join(f"{f.subject:<{subjects}}  {f.state:<{states}}  {f.detail}" for f in findings)


def as_markdown(findings: Sequence[Finding]) -> str:
    """The table as Markdown."""
    lines = [f"| `{f.subject}` | {f.state} | {f.detail.replace('|', ' ')} |" for f in findings]
    return "\n".join(["| what | state | detail |", "|---|---|---|", *lines])


def _settings(bucket: GcsBucket, dataset: BigQueryDataset) -> Iterator[Finding]:
    for setting, value in (
        (settings.GCP_PROJECT, dataset.project),
        (settings.GCP_BUCKET, bucket.bucket),
        (settings.GCP_DATASET, dataset.dataset),
    ):
        yield Finding(setting.name, State.OK if value else State.MISSING, value or f"set it: export {setting}=…")
    location = State.OK if settings.GCP_LOCATION.read() else State.DEFAULT
    yield Finding(settings.GCP_LOCATION.name, location, dataset.location)
    given = dataset.gcp_credentials
    if given:
        kind = "the JSON of a key" if given.lstrip().startswith("{") else "the path of a key file"
        yield Finding(settings.GCP_CREDENTIALS.name, State.OK, kind)
    else:
        yield Finding(settings.GCP_CREDENTIALS.name, State.DEFAULT, "Application Default Credentials")
    for setting, endpoint in (
        (settings.STORAGE_EMULATOR, bucket.endpoint),
        (settings.BIGQUERY_EMULATOR, dataset.endpoint),
    ):
        if endpoint:
            yield Finding(setting.name, State.EMULATED, f"{endpoint}: an emulator, not Google Cloud")
    if bool(bucket.endpoint) != bool(dataset.endpoint):
        yield Finding(
            "emulators", State.WRONG, "one service is emulated and the other is not: set both variables or neither"
        )


def _tried(subject: str, attempt: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return attempt()
    except TaxiAssetsError as error:
        return [Finding(subject, State.WRONG, str(error))]


def _try_credentials(dataset: BigQueryDataset) -> Sequence[Finding]:
    found = find_credentials(dataset.gcp_credentials, endpoint=dataset.endpoint)
    if dataset.is_emulated:
        return [Finding("credentials", State.EMULATED, "none are needed")]
    return [Finding("credentials", State.OK, type(found).__name__)]


def _try_bucket(resource: GcsBucket) -> Sequence[Finding]:
    name = resource.bucket_name
    subject = f"bucket {name}"
    with translated_errors("look up the bucket", f"gs://{name}"):
        try:
            bucket = resource.get_client().lookup_bucket(name)
        except Forbidden as error:
            raise WarehouseError(
                f"The bucket {name} exists, but these credentials are not allowed to look it up: grant them "
                f"storage.buckets.get, or set {settings.GCP_BUCKET} to a bucket of yours."
            ) from error
        if bucket is None:
            return [Finding(subject, State.MISSING, "does not exist: run the job gcp_setup")]
        granted = bucket.test_iam_permissions(list(_BUCKET_PERMISSIONS))
    missing = [permission for permission in _BUCKET_PERMISSIONS if permission not in granted]
    is_near = can_read(resource.location, bucket.location)
    findings = [_located(subject, bucket.location, resource.location, is_right=is_near)]
    if missing:
        findings.append(Finding(f"{subject}, permissions", State.MISSING, ", ".join(missing)))
    else:
        findings.append(Finding(f"{subject}, permissions", State.OK, "files can be read, written and deleted"))
    return findings


def _try_dataset(resource: BigQueryDataset) -> Sequence[Finding]:
    name = checked_dataset_name(resource.dataset_name)
    subject = f"dataset {resource.place}"
    with (
        translated_errors("look up the dataset", resource.place),
        resource.get_client() as client,
    ):
        try:
            found = client.get_dataset(name)
        except NotFound:
            return [Finding(subject, State.MISSING, "does not exist: run the job gcp_setup")]
    is_right = found.location.upper() == resource.location.upper()
    return [
        _located(subject, found.location, resource.location, is_right=is_right),
        *(Finding(f"{subject}, expiration", State.RISKY, sentence) for sentence in expirations(found)),
    ]


def _try_query(resource: BigQueryDataset) -> Sequence[Finding]:
    with translated_errors("run a query", resource.place), resource.get_client() as client:
        client.query("SELECT 1", job_config=bigquery.QueryJobConfig(dry_run=True))
    return [Finding("a query", State.OK, f"can be run in {resource.location} (tried as a dry run)")]


def _located(subject: str, found: str, wanted: str, *, is_right: bool) -> Finding:
    if is_right:
        return Finding(subject, State.OK, f"exists in {found}")
    return Finding(subject, State.WRONG, f"is in {found}, but {settings.GCP_LOCATION} is {wanted}: set it to {found}")
