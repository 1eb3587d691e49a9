"""What all tests of the lake start from: a project whose lake is still missing, and one that holds two months."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY


@pytest.fixture
def project(tmp_path: Path) -> LakeProject:
    """A project with an empty source, whose lake is still missing."""
    return LakeProject(tmp_path)


@pytest.fixture
def loaded(project: LakeProject) -> LakeProject:
    """A project whose lake holds January and February 2019 of the green taxis, sixty trips each."""
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
        project.load(month)
    return project
