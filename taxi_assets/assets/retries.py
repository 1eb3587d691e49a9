"""How often a step is tried again, and after how long, when what stopped it may pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""After some 15, 45 and 105 seconds. What a source or a warehouse waits for by itself comes on top."""

NO_RETRIES: Final = dg.RetryPolicy(max_retries=0)
"""For somebody who is there to try again."""


@contextmanager
def retried_later(context: dg.AssetExecutionContext, retries: dg.RetryPolicy) -> Iterator[None]:
    """Ask Dagster to run the step again later where it fails with a Failure that allows it.

    The policy is not given to the step itself, as Dagster would then also retry a run that somebody cancels.
    """
    try:
        yield
    except dg.Failure as failure:
        if not failure.allow_retries or context.retry_number >= retries.max_retries:
            raise
        seconds = retries.calculate_delay(context.retry_number + 1)
        context.log.warning(
            f"{failure.description}\nThis may pass: trying again in {seconds:.0f} s "
            f"(retry {context.retry_number + 1} of {retries.max_retries})."
        )
        raise dg.RetryRequested(max_retries=retries.max_retries, seconds_to_wait=seconds) from failure
