"""How an error that is written for people reaches Dagster's run page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from taxi_assets.errors import TaxiAssetsError


@contextmanager
def explained_to_people() -> Iterator[None]:
    """Turn a TaxiAssetsError into a Failure whose description is its sentence; what can pass may be retried."""
    try:
        yield
    except TaxiAssetsError as error:
        raise dg.Failure(str(error), allow_retries=error.passing) from error
