"""Where tests find real input: beside the project, or where TAXI_TEST_DATA points."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

MADE_TAXI = PROJECT / "taxi_assets_tests" / "limousine.toml"
"""The definition of a taxi that the package does not have."""


WITHOUT_DBT = {"TAXI_DBT": "not wanted here"}
"""The setting of tests that are not about dbt: without its models, the graph loads a second faster in each process."""


def _real_data() -> Path | None:
    """The folder that holds ``source/<taxi>/<file>``: ``shared/data`` beside the project or one of its parents."""
    if "TAXI_TEST_DATA" in os.environ:
        return Path(os.environ["TAXI_TEST_DATA"])
    candidates = [parent / "shared" / "data" for parent in [PROJECT, *PROJECT.parents]]
    return next((folder for folder in candidates if (folder / "source").is_dir()), None)


REAL_DATA = _real_data()

needs_real_data = pytest.mark.skipif(
    REAL_DATA is None,
    reason="no real taxi files here: put them in ../shared/data or name their folder in TAXI_TEST_DATA",
)
