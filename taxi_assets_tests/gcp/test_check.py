"""`gcp_check` says what is set, what is missing and which permission lacks, and shows no secret. (Emulator tests.)"""

from __future__ import annotations

import json

import pytest
from google.cloud import storage

from emulators.running import READ_ONLY_BUCKET
from taxi_assets.gcp.locations import can_read
from taxi_assets_tests.gcp.jobs import JobOutcome, run_job

SECRET = "-----BEGIN PRIVATE KEY-----MIIEvQ"


def table(outcome: JobOutcome) -> str:
    return outcome.metadata["look"]["findings"]


def test_all_is_well_after_setup(place):
    assert run_job("gcp_setup").success
    outcome = run_job("gcp_check")
    assert outcome.success, outcome.errors
    assert f"| `bucket {place['GCP_BUCKET_NAME']}` | ok |" in table(outcome)
    assert "files can be read, written and deleted" in table(outcome)
    assert "| `a query` | ok |" in table(outcome)


def test_before_setup_it_names_the_job_to_run(place):
    outcome = run_job("gcp_check")
    assert not outcome.success
    assert table(outcome).count("does not exist: run the job gcp_setup") == 2


@pytest.mark.parametrize("variable", ["GCP_BUCKET_NAME", "GCP_DATASET"])
def test_a_missing_setting_is_named(place, monkeypatch, variable):
    monkeypatch.delenv(variable)
    outcome = run_job("gcp_check")
    assert f"{variable} is missing" in outcome.errors[0]
    assert f"| `{variable}` | missing |" in table(outcome)


def test_missing_permissions_are_named(place, monkeypatch):
    monkeypatch.setenv("GCP_BUCKET_NAME", READ_ONLY_BUCKET)
    outcome = run_job("gcp_check")
    line = f"| `bucket {READ_ONLY_BUCKET}, permissions` | missing | storage.objects.create, storage.objects.delete |"
    assert line in table(outcome)


def test_a_bucket_in_another_place_is_named(place, monkeypatch):
    storage.Client(project=place["GCP_PROJECT_ID"]).create_bucket(place["GCP_BUCKET_NAME"], location="EU")
    assert "is in EU, but GCP_LOCATION is US" in table(run_job("gcp_check"))


def test_a_bucket_in_a_region_of_the_datasets_multi_region_can_be_read(place):
    storage.Client(project=place["GCP_PROJECT_ID"]).create_bucket(place["GCP_BUCKET_NAME"], location="US-EAST1")
    outcome = run_job("gcp_setup")
    assert outcome.success, outcome.errors
    assert "exists in US-EAST1" in table(run_job("gcp_check"))


@pytest.mark.parametrize(
    ("dataset", "bucket", "possible"),
    [
        *(("US", "us-central1", True), ("US", "NAM4", True), ("us-east1", "US", False), ("US", "EU", False)),
        *(("EU", "europe-west1", True), ("EU", "EUR4", True), ("EU", "europe-west2", False), ("EU", "eu", True)),
        ("europe-west3", "EUROPE-WEST3", True),
    ],
)
def test_a_dataset_can_read_a_bucket_where_it_is_or_in_a_region_of_it(dataset: str, bucket: str, possible: bool):
    assert can_read(dataset, bucket) == possible


def test_an_emulator_can_not_be_taken_for_the_real_service(place):
    assert table(run_job("gcp_check")).count("an emulator, not Google Cloud") == 2


def test_half_an_emulator_is_refused(place, monkeypatch):
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    outcome = run_job("gcp_check")
    assert "| `emulators` | wrong |" in table(outcome)


def test_no_secret_is_shown_or_stored(place, monkeypatch):
    monkeypatch.setenv("GCP_CREDS", json.dumps({"type": "service_account", "private_key": SECRET}))
    outcome = run_job("gcp_check")
    assert "| `GCP_CREDS` | ok | the JSON of a key |" in table(outcome)
    assert SECRET not in outcome.stored + table(outcome) + "".join(outcome.errors)
