"""The landing zone as a bucket, for machines that don't share a disk.

A file and its manifest are one object, the manifest being the object's metadata, so that new bytes never have an old
manifest. Each machine keeps copies in a folder, because DuckDB and uploads read local files; a copy counts only if it
has the bytes that were verified.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from requests import RequestException

from taxi_assets import settings
from taxi_assets.errors import LandingError, NotLandedError, SettingsError
from taxi_assets.gcp.objects import holds, upload
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.ownership import MADE_BY, is_ours
from taxi_assets.progress import mib
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.landing_manifest import landed_file, manifest_of
from taxi_assets.source.origin import Origin
from taxi_assets.source.raw_files import LandedFile, RawFile

_LOG: Final = logging.getLogger(__name__)
_MANIFEST: Final = "manifest"
_ATTEMPTS: Final = 5


class _ReplacedError(Exception):
    """The object was replaced since it was looked at."""


class BucketLandingZone:
    """Verified files as objects, laid out as their source: ``gs://<bucket>/<prefix>/<taxi>/<file>``.

    Several machines may use the same bucket: an object is replaced only if it was not changed since it was looked at.
    """

    def __init__(self, bucket: storage.Bucket, prefix: str, copies: FolderLandingZone) -> None:
        self._bucket, self._copies = bucket, copies
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def land(self, file: RawFile, origin: Origin, log: logging.Logger) -> LandedFile:
        """See ``LandingZone.land``."""
        started = time.perf_counter()
        for _ in range(_ATTEMPTS):
            with self._translated_errors(file):
                there = self._bucket.get_blob(self._name(file))
            kept = self._noted(file, there)
            if kept is not None and kept.origin == origin.name and kept.version.is_same_as(origin.version(file)):
                log.info("%s is unchanged at %s: nothing to fetch.", file.name, origin.name)
                return replace(kept, seconds=time.perf_counter() - started)
            landed = self._copies.land(file, origin, log)
            try:
                with self._translated_errors(file):
                    self._put(file, landed, there, log)
            except _ReplacedError:
                log.info("%s: another machine has just landed it.", file.name)
                continue
            return replace(landed, fetched=True, seconds=time.perf_counter() - started)
        raise self._changed_too_often(file)

    def landed(self, file: RawFile) -> LandedFile:
        """See ``LandingZone.landed``; the file is copied to this machine unless it is here."""
        for _ in range(_ATTEMPTS):
            with self._translated_errors(file):
                blob = self._bucket.get_blob(self._name(file))
            where = f"at {self._address(file)}: materialize {file.landed_by} first."
            if blob is None:
                raise NotLandedError(f"{file.name} is not {where}")
            noted = self._noted(file, blob)
            if noted is None:
                raise LandingError(f"{file.name} is without its manifest, or has other columns, {where}")
            try:
                return replace(noted, path=self._copies.copy_of(file, noted, partial(self._fetch, file, blob), _LOG))
            except _ReplacedError:
                continue
        raise self._changed_too_often(file)

    def known(self, file: RawFile) -> LandedFile | None:
        """See ``LandingZone.known``."""
        with self._translated_errors(file):
            noted = self._noted(file, self._bucket.get_blob(self._name(file)))
            return noted or self._noted(file, self._bucket.get_blob(self._name_after_purge(file)))

    def purge(self, file: RawFile) -> bool:
        """See ``LandingZone.purge``; the copy on this machine goes too."""
        self._copies.purge(file)
        try:
            return self._purge(file)
        except _ReplacedError:
            return False  # another machine has landed a newer one, and will purge it

    def forget(self, file: RawFile, *, origin: str) -> bool:
        """See ``LandingZone.forget``; the copy on this machine goes too. Objects that others made stay."""
        has_copy = self._copies.forget(file, origin=origin)
        deleted = [self._forget(file, name, origin) for name in (self._name(file), self._name_after_purge(file))]
        return has_copy or any(deleted)

    def _forget(self, file: RawFile, name: str, origin: str) -> bool:
        try:
            with self._translated_errors(file):
                blob = self._bucket.get_blob(name)
                if blob is None or not is_ours(blob.metadata) or self._facts(blob).get("origin") != origin:
                    return False
                self._delete(blob)
        except _ReplacedError:
            return False  # another machine has just landed a newer one
        return True

    def _purge(self, file: RawFile) -> bool:
        with self._translated_errors(file):
            blob = self._bucket.get_blob(self._name(file))
            if blob is None or not is_ours(blob.metadata):
                return False
            # The manifest stays because checks compare with it.
            left = self._bucket.blob(self._name_after_purge(file))
            left.metadata = blob.metadata
            left.upload_from_string(json.dumps(self._facts(blob), indent=2), content_type="application/json")
            self._delete(blob)
        return True

    def _delete(self, blob: storage.Blob) -> None:
        """Delete an object if it is still the one that was looked at.

        Raises:
            PreconditionFailed: It was replaced meanwhile.
        """
        try:
            blob.delete(if_generation_match=blob.generation)
        except (NotFound, PreconditionFailed):
            # It is gone if the answer to a first request was lost.
            if self._bucket.get_blob(blob.name) is not None:
                raise

    def _put(self, file: RawFile, landed: LandedFile, there: storage.Blob | None, log: logging.Logger) -> None:
        """Put the file in its place, with its manifest, if the object there is still the one that was looked at.

        Raises:
            PreconditionFailed: It was replaced meanwhile.
        """
        manifest = {_MANIFEST: json.dumps(manifest_of(landed), ensure_ascii=False)}
        if there is not None and holds(there, landed.path):
            # An object that others made stays theirs.
            there.metadata = {**(there.metadata or {}), **manifest}
            there.patch(if_generation_match=there.generation, if_metageneration_match=there.metageneration)
            return
        if there is not None and not is_ours(there.metadata):
            raise LandingError(
                f"{self._address(file)} has other bytes, which this project did not put there: nothing was changed; "
                "move it away, or set TAXI_LANDING to another place."
            )
        upload(self._bucket, self._name(file), landed.path, replacing=there, metadata={**MADE_BY, **manifest}, log=log)
        log.info("%s: %s MiB put at %s.", file.name, mib(landed.size), self._address(file))

    def _fetch(self, file: RawFile, blob: storage.Blob, part: Path) -> None:
        with self._translated_errors(file):
            # A newer version would have other bytes than the manifest says.
            blob.download_to_filename(str(part), if_generation_match=blob.generation, raw_download=True)

    def _noted(self, file: RawFile, blob: storage.Blob | None) -> LandedFile | None:
        """What the object's manifest says, if it can be read and has the columns that are needed."""
        if blob is None:
            return None
        noted = landed_file(self._copies.path_of(file), self._facts(blob))
        return noted if noted is not None and file.fits(noted) else None

    def _facts(self, blob: storage.Blob) -> dict[str, Any]:
        try:
            facts = json.loads((blob.metadata or {}).get(_MANIFEST, "{}"))
        except ValueError:
            return {}
        return facts if isinstance(facts, dict) else {}

    def _name(self, file: RawFile) -> str:
        return f"{self._prefix}{file.path}"

    def _name_after_purge(self, file: RawFile) -> str:
        return f"{self._name(file)}.json"

    def _address(self, file: RawFile) -> str:
        return f"gs://{self._bucket.name}/{self._name(file)}"

    def _changed_too_often(self, file: RawFile) -> LandingError:
        return LandingError(
            f"{self._address(file)} was changed by other programs {_ATTEMPTS} times in a row while it was looked at: "
            "find out what else writes there, then run again."
        )

    @contextmanager
    def _translated_errors(self, file: RawFile) -> Iterator[None]:
        try:
            yield
        except PreconditionFailed as error:
            raise _ReplacedError from error
        except Forbidden as error:
            raise LandingError(
                f"{self._address(file)} can't be read or written because a permission is missing: run the job "
                "gcp_check, which names it."
            ) from error
        except NotFound as error:
            raise LandingError(
                f"The bucket {self._bucket.name} of the landing zone does not exist: run the job gcp_setup, or set "
                "TAXI_LANDING to another one."
            ) from error
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise LandingError(
                f"{self._address(file)} can't be reached ({type(error).__name__}): check network and credentials with "
                "the job gcp_check, then run again."
            ) from error


def bucket_landing_zone(address: str, copies: FolderLandingZone) -> BucketLandingZone:
    """The landing zone at ``gs://<bucket>/<prefix>``.

    Raises:
        SettingsError: The address names no bucket, no project is set, or there are no credentials.
    """
    bucket, _, prefix = address.removeprefix("gs://").partition("/")
    if not bucket:
        raise SettingsError(f"TAXI_LANDING is “{address}”, which names no bucket: set it to gs://<bucket>/<prefix>.")
    fields = {**settings.gcs_fields(), "bucket": bucket, "gcp_credentials": settings.GCP_CREDENTIALS.read() or None}
    return BucketLandingZone(_client(json.dumps(fields)).bucket(bucket), prefix, copies)


@cache
def _client(fields: str) -> storage.Client:
    # Signing in takes longer than a request, and each stage of each month needs the landing zone.
    return GcsBucket(**json.loads(fields)).get_client()
