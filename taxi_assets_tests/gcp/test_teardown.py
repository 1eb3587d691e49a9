"""`gcp_teardown` deletes what this project made, after confirmation, and nothing else. (Emulator tests.)"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud import bigquery, storage

from taxi_assets import settings
from taxi_assets.gcp.resources import BigQueryDataset
from taxi_assets.ownership import COMMENT_PREFIX, MADE_BY
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.jobs import JobOutcome, run_job
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import GREEN, JANUARY


def confirmed(place: Mapping[str, str], **changes: object) -> Mapping[str, object]:
    names = {"project": place["GCP_PROJECT_ID"], "dataset": place["GCP_DATASET"]}
    return {"tear_down": {"config": {**names, "dry_run": False, **changes}}}


def bucket_of(place: Mapping[str, str]) -> storage.Bucket:
    return storage.Client(project=place["GCP_PROJECT_ID"]).bucket(place["GCP_BUCKET_NAME"])


def put_object(place: Mapping[str, str], name: str, *, ours: bool) -> None:
    blob = bucket_of(place).blob(name)
    blob.metadata = dict(MADE_BY) if ours else None
    blob.upload_from_string(b"x")


def put_table(place: Mapping[str, str], name: str, *, ours: bool) -> None:
    with BigQueryDataset(**settings.bigquery_fields()).get_client() as client:
        table = bigquery.Table(
            f"{client.project}.{place['GCP_DATASET']}.{name}", schema=[bigquery.SchemaField("a", "INT64")]
        )
        table.description = f"{COMMENT_PREFIX}a table" if ours else "of somebody else"
        client.create_table(table)


def what_is_there(place: Mapping[str, str]) -> list[str]:
    with BigQueryDataset(**settings.bigquery_fields()).get_client() as client:
        datasets = [item.dataset_id for item in client.list_datasets()]
        tables = client.list_tables(place["GCP_DATASET"]) if place["GCP_DATASET"] in datasets else []
        names = [f"table {item.table_id}" for item in tables]
    bucket = bucket_of(place)
    blobs = bucket.list_blobs() if bucket.exists() else []
    return sorted(
        [
            *names,
            *(f"object {blob.name}" for blob in blobs),
            *(["the dataset"] if place["GCP_DATASET"] in datasets else []),
            *(["the bucket"] if bucket.exists() else []),
        ]
    )


@pytest.fixture
def ready(place: Mapping[str, str]) -> Mapping[str, str]:
    """A bucket and a dataset as ``gcp_setup`` makes them, with one file and one table of ours."""
    assert run_job("gcp_setup").success
    put_object(place, "green/green_tripdata_2020-10.csv.gz", ours=True)
    put_table(place, "green_tripdata", ours=True)
    return place


def test_everything_goes_where_everything_is_ours(ready):
    outcome = run_job("gcp_teardown", confirmed(ready))
    assert outcome.success, outcome.errors
    assert what_is_there(ready) == []


def test_what_is_somebody_elses_stays_and_is_mentioned(ready):
    put_object(ready, "green/notes.txt", ours=False)
    put_table(ready, "holidays", ours=False)
    outcome = run_job("gcp_teardown", confirmed(ready))
    assert outcome.success, outcome.errors
    assert what_is_there(ready) == ["object green/notes.txt", "table holidays", "the bucket", "the dataset"]
    assert "itself stays: it contains 1 not created by this project" in message_of(outcome)


def test_a_bucket_that_was_there_before_setup_stays(place):
    storage.Client(project=place["GCP_PROJECT_ID"]).create_bucket(place["GCP_BUCKET_NAME"], location="US")
    assert run_job("gcp_setup").success
    outcome = run_job("gcp_teardown", confirmed(place))
    assert what_is_there(place) == ["the bucket"]
    assert "itself stays: gcp_setup did not create it" in message_of(outcome)


def test_a_dry_run_deletes_nothing_and_names_everything(ready):
    before = what_is_there(ready)
    outcome = run_job("gcp_teardown", confirmed(ready, dry_run=True))
    assert what_is_there(ready) == before
    for name in ("green_tripdata would be deleted", "green_tripdata_2020-10.csv.gz would be deleted"):
        assert name in message_of(outcome)


def test_it_is_dry_unless_told_otherwise(ready):
    before = what_is_there(ready)
    config = confirmed(ready)
    del config["tear_down"]["config"]["dry_run"]
    assert run_job("gcp_teardown", config).success
    assert what_is_there(ready) == before


@pytest.mark.parametrize("mistaken", ["project", "dataset"])
def test_another_name_in_the_configuration_deletes_nothing(ready, mistaken):
    before = what_is_there(ready)
    (error,) = run_job("gcp_teardown", confirmed(ready, **{mistaken: "another"})).errors
    assert error.startswith("Nothing was deleted")
    assert what_is_there(ready) == before


def test_twice_is_as_good_as_once(ready):
    assert run_job("gcp_teardown", confirmed(ready)).success
    outcome = run_job("gcp_teardown", confirmed(ready))
    assert outcome.success, outcome.errors
    assert "it does not exist" in message_of(outcome)


def message_of(outcome: JobOutcome) -> str:
    return outcome.metadata["tear_down"]["outcome"]


def test_all_that_a_load_leaves_behind_is_known_as_ours(faithful_emulators, place, tmp_path, monkeypatch):
    project = GcpProject(tmp_path, faithful_emulators)
    monkeypatch.setenv("GCP_BUCKET_NAME", project.bucket)
    monkeypatch.setenv("GCP_DATASET", project.dataset)
    names = {**place, "GCP_BUCKET_NAME": project.bucket, "GCP_DATASET": project.dataset}
    assert run_job("gcp_setup").success
    project.put(made_trips(GREEN, JANUARY, 20))
    loaded = project.run("2019-01", checks=False)
    assert loaded.success, loaded.error
    assert "table green_tripdata" in what_is_there(names)
    outcome = run_job("gcp_teardown", confirmed(names))
    assert outcome.success, outcome.errors
    assert what_is_there(names) == []
