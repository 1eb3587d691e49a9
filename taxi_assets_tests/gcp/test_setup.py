"""`gcp_setup` makes a bucket and a dataset, leaves what is there, and says clearly why it can't. (Emulator tests.)"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud import storage

from emulators.running import FOREIGN_BUCKET
from taxi_assets import settings
from taxi_assets.gcp.resources import BigQueryDataset
from taxi_assets.ownership import is_ours
from taxi_assets_tests.gcp.jobs import run_job


def bucket_of(place: Mapping[str, str]) -> storage.Bucket:
    return storage.Client(project=place["GCP_PROJECT_ID"]).get_bucket(place["GCP_BUCKET_NAME"])


def test_it_makes_a_bucket_and_a_dataset_in_the_location_that_is_set(place, monkeypatch):
    monkeypatch.setenv("GCP_LOCATION", "europe-west3")
    outcome = run_job("gcp_setup")
    assert outcome.success, outcome.errors
    bucket = bucket_of(place)
    assert (bucket.location, is_ours(bucket.labels)) == ("EUROPE-WEST3", True)
    with BigQueryDataset(**settings.bigquery_fields()).get_client() as client:
        dataset = client.get_dataset(place["GCP_DATASET"])
    assert (dataset.location.lower(), is_ours(dataset.labels)) == ("europe-west3", True)


def test_a_bucket_drops_broken_uploads_and_is_closed_to_the_public(place):
    assert run_job("gcp_setup").success
    bucket = bucket_of(place)
    assert [rule["action"]["type"] for rule in bucket.lifecycle_rules] == ["AbortIncompleteMultipartUpload"]
    assert bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.iam_configuration.public_access_prevention == "enforced"


def test_a_bucket_deletes_old_files_if_that_is_asked_for(place):
    config = {"bucket_is_there": {"config": {"delete_files_after_days": 90}}}
    assert run_job("gcp_setup", config).success
    rules = list(bucket_of(place).lifecycle_rules)
    assert {"action": {"type": "Delete"}, "condition": {"age": 90}} in rules


def test_what_is_there_is_left_as_it_is(place):
    client = storage.Client(project=place["GCP_PROJECT_ID"])
    client.create_bucket(place["GCP_BUCKET_NAME"], location="US")
    first, second = run_job("gcp_setup"), run_job("gcp_setup")
    assert first.success, first.errors
    assert second.success, second.errors
    assert first.metadata["bucket_is_there"]["made by this project"] is False
    assert first.metadata["dataset_is_there"]["made now"] is True
    assert second.metadata["dataset_is_there"]["made now"] is False
    assert not is_ours(bucket_of(place).labels)


def test_a_bucket_of_somebody_else_is_named_as_such(place, monkeypatch):
    monkeypatch.setenv("GCP_BUCKET_NAME", FOREIGN_BUCKET)
    outcome = run_job("gcp_setup")
    (error,) = outcome.errors
    assert FOREIGN_BUCKET in error
    assert "another account's" in error
    assert "GCP_BUCKET_NAME" in error
    assert outcome.metadata["dataset_is_there"]["made now"] is True


def test_a_dataset_with_a_dash_is_refused_with_a_name_that_would_do(place, monkeypatch):
    monkeypatch.setenv("GCP_DATASET", "taxi-trips")
    (error,) = run_job("gcp_setup").errors
    assert "GCP_DATASET is “taxi-trips”" in error
    assert "taxi_trips" in error


def test_a_bucket_in_another_place_is_refused(place, monkeypatch):
    assert run_job("gcp_setup").success
    monkeypatch.setenv("GCP_LOCATION", "EU")
    errors = run_job("gcp_setup").errors
    assert any("is in US, but GCP_LOCATION is EU" in error for error in errors)


@pytest.mark.parametrize("name", ["Upper", "-dash", "a"])
def test_a_malformed_bucket_name_is_refused(place, monkeypatch, name):
    monkeypatch.setenv("GCP_BUCKET_NAME", name)
    (error,) = run_job("gcp_setup").errors
    assert f"GCP_BUCKET_NAME “{name}”" in error


def test_a_missing_bucket_name_is_asked_for(place, monkeypatch):
    monkeypatch.delenv("GCP_BUCKET_NAME")
    (error,) = run_job("gcp_setup").errors
    assert "GCP_BUCKET_NAME is not set" in error
