"""The landing zone in a bucket: machines that share no disk see the same verified files. (Emulator tests.)

Two machines are two folders of copies here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.cloud import storage
from typing_extensions import override

from emulators.running import READ_ONLY_BUCKET
from taxi_assets import settings
from taxi_assets.errors import DamagedFileError, LandingError, SettingsError
from taxi_assets.ownership import is_ours
from taxi_assets.source.landing_bucket import BucketLandingZone
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.landing_zone import LandingZone
from taxi_assets.source.raw_files import FileVersion, RawFile
from taxi_assets.source.resource import TripSource
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Project
from taxi_assets_tests.source.made_files import FILE, made_gzip

LOG = logging.getLogger("test")
OLD, NEW = made_gzip(seed=1), made_gzip(seed=2)


@dataclass
class Published:
    """A source whose one file can be replaced, and that counts how often it was fetched."""

    body: bytes = OLD
    fetches: int = 0
    barrier: threading.Barrier | None = None
    name: str = "published"
    is_release: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self, file: RawFile) -> FileVersion:
        return FileVersion(len(self.body), etag=hashlib.sha256(self.body).hexdigest())

    def fetch(self, file: RawFile, target: Path, log: logging.Logger) -> FileVersion:
        with self.lock:
            self.fetches += 1
        if self.barrier is not None:
            self.barrier.wait(60)
        target.write_bytes(self.body)
        return self.version(file)


@pytest.fixture
def bucket(place: Mapping[str, str]) -> storage.Bucket:
    return storage.Client(project=place["GCP_PROJECT_ID"]).create_bucket(place["GCP_BUCKET_NAME"])


@pytest.fixture
def here(bucket: storage.Bucket, tmp_path: Path) -> LandingZone:
    return zone(bucket, tmp_path / "here")


@pytest.fixture
def there(bucket: storage.Bucket, tmp_path: Path) -> LandingZone:
    return zone(bucket, tmp_path / "there")


def zone(bucket: storage.Bucket, folder: Path) -> LandingZone:
    return BucketLandingZone(bucket, "landing", FolderLandingZone(folder))


def object_of(bucket: storage.Bucket) -> storage.Blob:
    blob = bucket.get_blob(f"landing/{FILE.path}")
    assert blob is not None
    return blob


def test_what_one_machine_lands_another_one_reads_without_the_source(here, there, tmp_path):
    landed = here.land(FILE, Published(), LOG)
    read = there.landed(FILE)
    assert read.path == tmp_path / "there" / FILE.path
    assert read.path.read_bytes() == OLD
    assert (read.sha256, read.rows, read.origin) == (landed.sha256, landed.rows, "published")


def test_the_object_is_the_file_as_it_was_published_with_its_manifest(here, bucket):
    here.land(FILE, Published(), LOG)
    blob = object_of(bucket)
    assert blob.download_as_bytes(raw_download=True) == OLD
    assert is_ours(blob.metadata)
    assert json.loads(blob.metadata["manifest"])["sha256"] == hashlib.sha256(OLD).hexdigest()


def test_an_unchanged_file_is_neither_fetched_nor_uploaded_again_by_any_machine(here, there, bucket):
    source = Published()
    here.land(FILE, source, LOG)
    generation = object_of(bucket).generation
    again = there.land(FILE, source, LOG)
    assert not again.fetched
    assert (source.fetches, object_of(bucket).generation) == (1, generation)


def test_a_new_version_reaches_the_machine_that_has_a_copy_of_the_old_one(here, there):
    source = Published()
    here.land(FILE, source, LOG)
    assert there.landed(FILE).path.read_bytes() == OLD
    source.body = NEW
    here.land(FILE, source, LOG)
    assert there.landed(FILE).path.read_bytes() == NEW


def test_a_copy_that_somebody_changed_is_replaced(here, there):
    here.land(FILE, Published(), LOG)
    there.landed(FILE).path.write_bytes(b"scribble")
    assert there.landed(FILE).path.read_bytes() == OLD


def test_a_copy_that_is_still_right_is_not_fetched_again(here, there):
    here.land(FILE, Published(), LOG)
    path = there.landed(FILE).path
    before = path.stat().st_mtime_ns
    assert there.landed(FILE).path.stat().st_mtime_ns == before


def test_an_object_with_other_bytes_than_its_manifest_says_never_becomes_a_copy(here, there, bucket, tmp_path):
    here.land(FILE, Published(), LOG)
    blob = object_of(bucket)
    impostor = bucket.blob(blob.name)
    impostor.metadata = blob.metadata
    impostor.upload_from_string(NEW)
    with pytest.raises(DamagedFileError, match="is not what was verified"):
        there.landed(FILE)
    assert not (tmp_path / "there" / FILE.path).exists()


def test_two_machines_that_land_the_same_month_at_once_agree(here, there, bucket):
    source = Published(barrier=threading.Barrier(2))
    with ThreadPoolExecutor(2) as pool:
        landed = list(pool.map(lambda machine: machine.land(FILE, source, LOG), (here, there)))
    assert {one.sha256 for one in landed} == {hashlib.sha256(OLD).hexdigest()}
    assert object_of(bucket).download_as_bytes(raw_download=True) == OLD
    assert here.landed(FILE).sha256 == there.landed(FILE).sha256


def test_of_two_versions_landed_at_once_the_bucket_keeps_one_with_its_own_manifest(here, there, bucket):
    barrier = threading.Barrier(2)
    sources = [Published(OLD, barrier=barrier), Published(NEW, barrier=barrier)]

    def land(machine: LandingZone, source: Published) -> None:
        # Whoever is slower looks again, and then fetches alone.
        machine.land(FILE, source, LOG)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(land, (here, there), sources))
    blob = object_of(bucket)
    body = blob.download_as_bytes(raw_download=True)
    assert json.loads(blob.metadata["manifest"])["sha256"] == hashlib.sha256(body).hexdigest()
    assert here.landed(FILE).path.read_bytes() == there.landed(FILE).path.read_bytes() == body


def test_a_file_that_is_there_already_gets_its_manifest_without_being_uploaded(here, bucket):
    bucket.blob(f"landing/{FILE.path}").upload_from_string(OLD)
    generation = object_of(bucket).generation
    here.land(FILE, Published(), LOG)
    assert object_of(bucket).generation == generation
    assert here.landed(FILE).path.read_bytes() == OLD


def test_a_file_that_somebody_else_put_there_stays_theirs_and_is_not_purged(here, bucket):
    bucket.blob(f"landing/{FILE.path}").upload_from_string(OLD)
    here.land(FILE, Published(), LOG)
    assert not is_ours(object_of(bucket).metadata)
    assert not here.purge(FILE)
    assert object_of(bucket).size == len(OLD)


def test_an_object_of_somebody_else_is_not_overwritten(here, bucket):
    bucket.blob(f"landing/{FILE.path}").upload_from_string(b"precious")
    with pytest.raises(LandingError, match="this project did not put there"):
        here.land(FILE, Published(), LOG)
    assert object_of(bucket).download_as_bytes() == b"precious"


def test_a_purged_file_is_gone_but_stays_known_to_all_machines(here, there, bucket):
    landed = here.land(FILE, Published(), LOG)
    assert here.purge(FILE)
    assert not here.purge(FILE)
    assert not landed.path.exists()
    assert bucket.get_blob(f"landing/{FILE.path}") is None
    assert there.known(FILE).rows == landed.rows
    with pytest.raises(LandingError, match="materialize raw/green_tripdata for 2019-01 first"):
        there.landed(FILE)


def test_a_file_that_never_landed_is_not_known(here):
    assert here.known(FILE) is None
    with pytest.raises(LandingError, match=f"{FILE.name} is not at gs://"):
        here.landed(FILE)


def test_a_missing_bucket_and_a_missing_permission_are_named(place, tmp_path):
    client = storage.Client(project=place["GCP_PROJECT_ID"])
    with pytest.raises(LandingError, match="run the job gcp_setup"):
        zone(client.bucket("no-such-bucket"), tmp_path).land(FILE, Published(), LOG)
    with pytest.raises(LandingError, match="a permission is missing"):
        zone(client.bucket(READ_ONLY_BUCKET), tmp_path).land(FILE, Published(), LOG)


def test_the_setting_chooses_between_folder_and_bucket(place, monkeypatch, tmp_path):
    monkeypatch.setenv("TAXI_HOME", str(tmp_path))
    monkeypatch.delenv("TAXI_LANDING", raising=False)
    assert (settings.landing_folder(), settings.landing_bucket()) == (tmp_path / "landing", None)
    monkeypatch.setenv("TAXI_LANDING", str(tmp_path / "elsewhere"))
    assert (settings.landing_folder(), settings.landing_bucket()) == (tmp_path / "elsewhere", None)
    monkeypatch.setenv("TAXI_LANDING", "gs://bucket/prefix")
    assert (settings.landing_folder(), settings.landing_bucket()) == (tmp_path / "landing", "gs://bucket/prefix")


def test_files_land_in_the_bucket_that_the_setting_names(bucket, tmp_path):
    source = TripSource(landing=str(tmp_path), landing_bucket=f"gs://{bucket.name}/landing")
    source.landing_zone().land(FILE, Published(), LOG)
    assert object_of(bucket).size == len(OLD)


class Machine(Project):
    """A machine with a home of its own, whose files land in the bucket that all share."""

    address_of_landing_zone = ""

    @override
    def trip_source(self, *, keep_raw_files: bool = True) -> TripSource:
        return TripSource(
            address=self.address,
            landing=str(self.landing),
            landing_bucket=self.address_of_landing_zone,
            keep_raw_files=keep_raw_files,
        )


@pytest.fixture
def machines(bucket, tmp_path):
    """Two machines with a folder each, which share the landing zone."""
    made = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        machine = Machine(tmp_path / name)
        machine.address_of_landing_zone = f"gs://{bucket.name}/landing"
        made.append(machine)
    return made


def test_one_machine_lands_a_month_and_another_one_loads_it_into_its_warehouse(machines):
    with_source, without_source = machines
    with_source.put(made_trips(GREEN, JANUARY, 60))
    landed = with_source.run("2019-01", stages=["raw"], checks=False)
    assert landed.success, landed.error
    loaded = without_source.run("2019-01", stages=["month", "main"])
    assert loaded.success, loaded.error
    assert loaded.materialized("duckdb/green_tripdata")["2019-01"]["inserted"] == 60
    assert not with_source.database.exists()


def test_a_machine_that_finds_the_month_unchanged_loads_it_too(machines):
    here, there = machines
    here.put(made_trips(GREEN, JANUARY, 60))
    assert here.run("2019-01", checks=False).success
    there.address = here.address
    loaded = there.run("2019-01")
    assert loaded.success, loaded.error
    assert loaded.materialized("duckdb/green_tripdata")["2019-01"]["inserted"] == 60


def test_a_machine_with_an_older_copy_loads_the_file_that_another_machine_has_landed(machines):
    here, there = machines
    there.address = here.address
    here.put(made_trips(GREEN, JANUARY, 60))
    assert there.run("2019-01", checks=False).success
    here.put(made_trips(GREEN, JANUARY, 61)[1:])
    assert here.run("2019-01", checks=False).success
    assert there.run("2019-01").success
    assert there.digest("green_tripdata") == here.digest("green_tripdata")


def test_an_address_without_a_bucket_is_refused(place, tmp_path):
    with pytest.raises(SettingsError, match="names no bucket"):
        TripSource(landing=str(tmp_path), landing_bucket="gs://").landing_zone()


def test_only_what_came_from_an_origin_is_forgotten(here, there, bucket, tmp_path):
    here.land(FILE, Published(name="sample"), LOG)
    there.landed(FILE)
    assert not here.forget(FILE, origin="published")
    assert object_of(bucket)
    assert here.forget(FILE, origin="sample")
    assert bucket.get_blob(f"landing/{FILE.path}") is None
    assert not (tmp_path / "here" / FILE.path).exists()
    assert here.known(FILE) is None
    assert not here.forget(FILE, origin="sample")


def test_what_was_noted_of_a_purged_file_is_forgotten_too(here):
    here.land(FILE, Published(name="sample"), LOG)
    assert here.purge(FILE)
    assert here.forget(FILE, origin="sample")
    assert here.known(FILE) is None
