"""What all tests with ZetaSQL start from: the engine, and the taxis, one of which the package does not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taxi_assets_tests.zetasql.running import ZetaSQL, missing, running_zetasql


@pytest.fixture(scope="session")
def zetasql() -> Iterator[ZetaSQL]:
    """An engine that all tests of a process share, because it takes seconds to start."""
    if reason := missing():
        pytest.skip(reason)
    with running_zetasql() as engine:
        yield engine
