"""Google Cloud's settings: what joins the graph, which credentials are used, and that none is ever shown."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials

from taxi_assets import settings
from taxi_assets.build import build_definitions
from taxi_assets.errors import SettingsError
from taxi_assets.gcp.credentials import find_credentials
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket

SECRET = "MIIEv5ecret"
VARIABLES = (
    *(
        settings.GCP_PROJECT.name,
        settings.GCP_LOCATION.name,
        settings.GCP_BUCKET.name,
        settings.GCP_DATASET.name,
        settings.GCP_CREDENTIALS.name,
    ),
    *(
        settings.GCP_MAXIMUM_BYTES_BILLED.name,
        settings.GCP_KEEP_TABLES.name,
        settings.STORAGE_EMULATOR.name,
        settings.BIGQUERY_EMULATOR.name,
    ),
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in (*VARIABLES, "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(variable, raising=False)
    # No credentials of the machine's own, wherever this runs, and no looking for a machine of Google's.
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    """A service account's key, as Google makes them, but of nobody."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": "loader@a-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def test_the_project_alone_makes_the_assets_join_the_graph(monkeypatch: pytest.MonkeyPatch):
    assert not settings.gcp_is_configured()
    monkeypatch.setenv(settings.GCP_PROJECT.name, "a-project")
    definitions = build_definitions()
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    way = [
        *("raw/green_tripdata", "gcs/green_tripdata", "bigquery/green_tripdata_ext"),
        *("bigquery/green_tripdata_month", "bigquery/green_tripdata"),
    ]
    keys = [dg.AssetKey(name.split("/")) for name in way]
    for before, after in pairwise(keys):
        node = graph.get(after)
        assert node.parent_keys == {before}
        assert node.description
        assert node.owners
        assert node.kinds
        assert node.group_name == after.path[0]


def test_without_settings_an_account_is_asked_for_by_name():
    with pytest.raises(SettingsError, match="GCP_BUCKET_NAME is not set: set it"):
        _ = GcsBucket(project="a-project").bucket_name
    with pytest.raises(SettingsError, match="GCP_DATASET is not set: set it"):
        _ = BigQueryDataset(project="a-project").place
    with pytest.raises(SettingsError, match="gcloud auth application-default login"):
        find_credentials(None, endpoint=None)


def test_a_key_is_read_from_a_file_or_from_the_variable_itself(key: dict[str, str], tmp_path: Path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key), encoding="utf-8")
    encoded = base64.encodebytes(path.read_bytes()).decode()
    for given in (str(path), json.dumps(key), f"  {json.dumps(key)}\n", encoded, encoded.replace("\n", "")):
        credentials = find_credentials(given, endpoint=None)
        assert credentials.service_account_email == key["client_email"]


STS = "https://sts.googleapis.com/v1/token"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/theirs"
WORKLOAD = {"type": "external_account", "audience": AUDIENCE, "token_url": STS}
OF_A_PERSON = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(OF_A_PERSON, "google.oauth2.credentials", id="a person's"),
        pytest.param(
            {
                "type": "impersonated_service_account",
                "source_credentials": OF_A_PERSON,
                "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/"
                "serviceAccounts/loader@a-project.iam.gserviceaccount.com:generateAccessToken",
            },
            "google.auth.impersonated_credentials",
            id="impersonation",
        ),
        pytest.param(
            {
                **WORKLOAD,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "credential_source": {"file": "/var/run/token"},
            },
            "google.auth.identity_pool",
            id="workload identity by a file",
        ),
        pytest.param(
            {
                **WORKLOAD,
                "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
                "credential_source": {
                    "environment_id": "aws1",
                    "regional_cred_verification_url": "https://sts.{region}.amazonaws.com"
                    "?Action=GetCallerIdentity&Version=2011-06-15",
                },
            },
            "google.auth.aws",
            id="workload identity of AWS",
        ),
        pytest.param(
            {
                **WORKLOAD,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "credential_source": {"executable": {"command": "/usr/bin/token", "timeout_millis": 5000}},
            },
            "google.auth.pluggable",
            id="workload identity by a program",
        ),
    ],
)
def test_a_key_may_have_any_form_of_googles(given: dict[str, object], kind: str):
    assert type(find_credentials(json.dumps(given), endpoint=None)).__module__ == kind


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(base64.b64encode(b"no key").decode(), id="no JSON in base64"),
        pytest.param(json.dumps([1]), id="no object"),
        pytest.param(json.dumps({"type": "external_account", "audience": SECRET}), id="half a workload"),
        pytest.param(
            json.dumps({"type": "impersonated_service_account", "secret": SECRET}), id="half an impersonation"
        ),
        pytest.param("/no/such/file.json", id="no file"),
        pytest.param(f'{{"private_key": "{SECRET}"', id="half a JSON"),
        pytest.param(json.dumps({"private_key": SECRET}), id="no type"),
        pytest.param(json.dumps({"type": "service_account", "private_key": SECRET}), id="parts missing"),
        pytest.param(json.dumps({"type": "something", "private_key": SECRET}), id="unknown type"),
    ],
)
def test_what_is_no_key_is_one_sentence_that_shows_nothing_of_it(given: str):
    with pytest.raises(SettingsError, match="GCP_CREDS is n") as refusal:
        find_credentials(given, endpoint=None)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_an_emulator_never_gets_the_key(key: dict[str, str]):
    credentials = find_credentials(json.dumps(key), endpoint="http://127.0.0.1:1")
    assert isinstance(credentials, AnonymousCredentials)


def test_the_key_is_handed_on_by_its_variables_name_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(settings.GCP_PROJECT.name, "a-project")
    monkeypatch.setenv(settings.GCP_CREDENTIALS.name, SECRET)
    for fields in (settings.gcs_fields(), settings.bigquery_fields()):
        assert isinstance(fields["gcp_credentials"], dg.EnvVar)
        assert SECRET not in repr(fields)


def test_an_emulators_address_may_lack_its_scheme(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(settings.STORAGE_EMULATOR.name, "127.0.0.1:9023")
    monkeypatch.setenv(settings.BIGQUERY_EMULATOR.name, "http://127.0.0.1:9050")
    assert settings.gcs_fields()["endpoint"] == "http://127.0.0.1:9023"
    assert settings.bigquery_fields()["endpoint"] == "http://127.0.0.1:9050"


def test_what_a_query_may_bill_is_limited_unless_it_is_zero(monkeypatch: pytest.MonkeyPatch):
    assert settings.bigquery_fields()["maximum_bytes_billed"] == settings.DEFAULT_MAXIMUM_BYTES_BILLED
    for value, limit in (("0", None), ("1000000", 1_000_000)):
        monkeypatch.setenv(settings.GCP_MAXIMUM_BYTES_BILLED.name, value)
        assert settings.bigquery_fields()["maximum_bytes_billed"] == limit
    monkeypatch.setenv(settings.GCP_MAXIMUM_BYTES_BILLED.name, "1 GB")
    with pytest.raises(SettingsError, match="“1 GB”: set it to a whole number of bytes"):
        settings.bigquery_fields()
