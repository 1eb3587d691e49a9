"""What tests of automation start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_assets_tests.automation.watched_project import WatchedProject
from taxi_assets_tests.source.file_server import FileServer


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[WatchedProject]:
    """A project with an empty web server as its source."""
    with FileServer() as server:
        yield WatchedProject(tmp_path, server)
