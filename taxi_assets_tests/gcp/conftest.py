"""What all tests of Google Cloud start from: emulators, and a bucket and a dataset of one's own in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from emulators.environment import environment
from emulators.errors import EmulatorError
from emulators.running import Emulators, running_emulators
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY


@pytest.fixture(scope="session")
def emulators() -> Iterator[Emulators]:
    """Emulators of Cloud Storage and BigQuery that all tests of a process share."""
    try:
        environment()
    except EmulatorError as error:
        pytest.skip(str(error))
    with running_emulators() as running:
        yield running


@pytest.fixture(scope="session")
def faithful_emulators(emulators: Emulators) -> Emulators:
    """The same, where BigQuery's emulator does all that the tests of the warehouse look at."""
    if emulators.bigquery_name != "local-bigquery":
        pytest.skip("bqemulator is enough for make demo-gcp, but not for this test: local-bigquery needs a Python 3.13")
    return emulators


@pytest.fixture
def place(emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The settings, as environment variables that are set, of a bucket and a dataset that don't exist yet."""
    name = uuid.uuid4().hex[:12]
    variables = {
        **emulators.variables(),
        "GCP_BUCKET_NAME": f"emulated-bucket-{name}",
        "GCP_DATASET": f"emulated_dataset_{name}",
    }
    for variable in ("GCP_LOCATION", "GCP_CREDS", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return variables


@pytest.fixture
def project(tmp_path: Path, faithful_emulators: Emulators) -> GcpProject:
    """A project with an empty source, whose bucket and dataset are there and empty."""
    project = GcpProject(tmp_path, faithful_emulators)
    project.set_up()
    return project


@pytest.fixture
def loaded(project: GcpProject) -> GcpProject:
    """A project whose dataset holds January and February 2019 of the green taxis, sixty trips each."""
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
    outcome = project.run("2019-01...2019-02", checks=False)
    assert outcome.success, outcome.error
    return project
