"""Raw files as objects: uploaded once, whole, by one writer at a time, and handed to assets. (Emulator tests.)"""

from __future__ import annotations

import logging
import tracemalloc
from io import BufferedIOBase
from pathlib import Path

import dagster as dg
import pytest
from google.cloud import storage

from taxi_assets.errors import WarehouseBusyError, WarehouseError
from taxi_assets.gcp import objects
from taxi_assets.gcp.io_manager import GcsIOManager
from taxi_assets.gcp.objects import store_file
from taxi_assets.partitions import months_partitions, runs_of_a_range
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

LOG = logging.getLogger(__name__)
MIB = 1024 * 1024
RANGE = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}


@pytest.fixture
def bucket(project: GcpProject) -> storage.Bucket:
    return project.storage_client().bucket(project.bucket)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.csv.gz"
    path.write_bytes(content)
    return path


def test_an_object_is_the_file_as_it_is_and_the_same_bytes_are_not_uploaded_twice(project: GcpProject):
    published = project.put(made_trips(GREEN, JANUARY, 30))
    stored = [project.run(stages=("raw", "object")).materialized("gcs/green_tripdata")["2019-01"] for _ in range(2)]
    assert [metadata["uploaded"] for metadata in stored] == [True, False]
    assert stored[0]["generation"] == stored[1]["generation"]
    assert stored[0]["uri"] == f"gs://{project.bucket}/green/green_tripdata_2019-01.csv.gz"
    assert project.object_of().download_as_bytes(raw_download=True) == published.read_bytes()
    assert project.object_of().content_encoding is None
    project.put(made_trips(GREEN, JANUARY, 31))
    corrected = project.run(stages=("raw", "object")).materialized("gcs/green_tripdata")["2019-01"]
    assert corrected["uploaded"]
    assert corrected["generation"] != stored[0]["generation"]


def test_an_upload_takes_bounded_memory_and_is_whole(bucket: storage.Bucket, tmp_path: Path):
    content = bytes(range(256)) * (40 * MIB // 256)
    path = written(tmp_path, content)
    tracemalloc.start()
    store_file(bucket, "large", path, log=LOG)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * MIB
    assert bucket.get_blob("large").size == len(content)


def test_of_two_writers_the_one_that_saw_an_older_object_fails(
    bucket: storage.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    upload = objects.upload

    def somebody_is_faster(*arguments, **settings):
        bucket.blob("contested").upload_from_string("theirs")
        return upload(*arguments, **settings)

    monkeypatch.setattr(objects, "upload", somebody_is_faster)
    with pytest.raises(WarehouseBusyError, match="changed by another program while it was uploaded: run again"):
        store_file(bucket, "contested", written(tmp_path, b"ours"), log=LOG)
    assert bucket.get_blob("contested").download_as_bytes() == b"theirs"


def test_an_object_of_somebody_else_is_left_alone_unless_it_has_the_same_bytes(bucket: storage.Bucket, tmp_path: Path):
    bucket.blob("theirs").upload_from_string("theirs")
    with pytest.raises(WarehouseError, match="that this project did not create: nothing was changed"):
        store_file(bucket, "theirs", written(tmp_path, b"ours"), log=LOG)
    assert bucket.get_blob("theirs").download_as_bytes() == b"theirs"
    assert not store_file(bucket, "theirs", written(tmp_path, b"theirs"), log=LOG).uploaded


def test_a_month_is_not_typed_from_another_file_than_the_one_that_landed(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(stages=("raw", "object", "external"), checks=False).success
    project.put(made_trips(GREEN, JANUARY, 6))
    outcome = project.run(stages=("raw", "month"), checks=False)
    assert "is not the file that has landed here: materialize gcs/green_tripdata for 2019-01 again" in outcome.failure


def materialize(project: GcpProject, asset: dg.AssetsDefinition, **partition) -> dg.ExecuteInProcessResult:
    """Run an asset of a user's beside the raw files in the bucket."""
    spec = dg.AssetSpec(["gcs", GREEN.table], partitions_def=months_partitions()).with_io_manager_key("gcs")
    manager = GcsIOManager(bucket=project.objects())
    resources = {"gcs": manager, "io_manager": manager}
    return dg.materialize([spec, asset], selection=[asset], resources=resources, raise_on_error=False, **partition)


@pytest.mark.parametrize("wanted", [storage.Blob, bytes, BufferedIOBase])
def test_an_asset_gets_a_months_object_as_the_type_that_it_names(project: GcpProject, wanted: type):
    published = project.put(made_trips(GREEN, JANUARY, 5)).read_bytes()
    assert project.run(stages=("raw", "object"), checks=False).success
    seen = []

    def look(raw) -> None:
        match raw:
            case bytes():
                seen.append(raw)
            case storage.Blob():
                seen.append(raw.download_as_bytes(raw_download=True))
            case _:
                seen.append(raw.read())

    look.__annotations__["raw"] = wanted
    ins = {"raw": dg.AssetIn(["gcs", GREEN.table])}
    asset = dg.asset(name="look", ins=ins, partitions_def=months_partitions(), io_manager_key="gcs")(look)
    materialize(project, asset, partition_key="2019-01")
    assert seen == [published]


def test_an_asset_gets_the_objects_of_a_range_by_month_and_keeps_bytes(project: GcpProject):
    published = {}
    for month in (JANUARY, FEBRUARY):
        published[str(month)] = project.put(made_trips(GREEN, month, 5), month).read_bytes()
    assert project.run("2019-01...2019-02", stages=("raw", "object"), checks=False).success
    seen = {}

    @dg.asset(
        ins={"raw": dg.AssetIn(["gcs", GREEN.table])},
        partitions_def=months_partitions(),
        backfill_policy=runs_of_a_range(),
    )
    def sizes(raw: dict[str, bytes]) -> None:
        seen.update(raw)

    @dg.asset
    def note() -> bytes:
        return b"kept"

    assert materialize(project, sizes, tags=RANGE).success or seen
    assert seen == published
    assert materialize(project, note).success
    assert project.storage_client().bucket(project.bucket).get_blob("assets/note").download_as_bytes() == b"kept"
