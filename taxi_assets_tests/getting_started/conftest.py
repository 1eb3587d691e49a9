"""What all tests of the group start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_assets_tests.getting_started.group import Group


@pytest.fixture
def group(tmp_path: Path) -> Group:
    """The group's assets, which have not run yet."""
    return Group(tmp_path)
