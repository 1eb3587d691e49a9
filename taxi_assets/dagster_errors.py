"""How an error of ours reaches Dagster's run page, and when Dagster runs its step again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from taxi_assets.errors import TaxiAssetsError

RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""After about 15, 45 and 105 seconds. Waits inside a source or a warehouse come on top of that."""

NO_RETRIES: Final = dg.RetryPolicy(max_retries=0)
"""For a user who watches the run, and starts it again."""


@contextmanager
def as_dagster_failures() -> Iterator[None]:
    """Turn a TaxiAssetsError into a Failure with its sentence as the description; a transient one may be retried."""
    try:
        yield
    except TaxiAssetsError as error:
        raise dg.Failure(str(error), allow_retries=error.is_transient) from error


@contextmanager
def retried_later(context: dg.AssetExecutionContext, retries: dg.RetryPolicy) -> Iterator[None]:
    """Ask Dagster to run the step again later if it fails with a Failure that allows it.

    The step itself has no retry policy, because Dagster would then also retry a run that is cancelled.
    """
    try:
        yield
    except dg.Failure as failure:
        if not failure.allow_retries or context.retry_number >= retries.max_retries:
            raise
        seconds = retries.calculate_delay(context.retry_number + 1)
        context.log.warning(
            f"{failure.description}\nTrying again in {seconds:.0f} s, since the cause may be temporary "
            f"(retry {context.retry_number + 1} of {retries.max_retries})."
        )
        raise dg.RetryRequested(max_retries=retries.max_retries, seconds_to_wait=seconds) from failure
