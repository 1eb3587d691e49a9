"""How an error of ours reaches Dagster's run page, and when Dagster runs its step again."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from taxi_assets import last_words
from taxi_assets.errors import TaxiAssetsError, WarehouseError

RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""After about 15, 45 and 105 seconds. Waits inside a source or a warehouse come on top of that."""

NO_RETRIES: Final = dg.RetryPolicy(max_retries=0)
"""For a user who watches the run, and starts it again."""


@contextmanager
def as_dagster_failures() -> Iterator[None]:
    """Turn a TaxiAssetsError into a Failure with its sentence as the description.

    The technical cause goes to the log at level debug: behind the traces of libraries nobody would find the sentence.
    A command of Dagster also ends with the sentence.

    Raises:
        Failure: It allows retries if they are worth it.
    """
    try:
        yield
    except TaxiAssetsError as error:
        log_cause(error, dg.get_dagster_logger())
        last_words.end_with(str(error))
        raise dg.Failure(str(error), allow_retries=is_worth_a_retry(error)) from None
    except dg.Failure as failure:
        last_words.end_with(failure.description or "")
        raise


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
        last_words.take_back(failure.description or "")
        seconds = retries.calculate_delay(context.retry_number + 1)
        context.log.warning(
            f"{failure.description}\nTrying again in {seconds:.0f} s, since the cause may be temporary "
            f"(retry {context.retry_number + 1} of {retries.max_retries})."
        )
        raise dg.RetryRequested(max_retries=retries.max_retries, seconds_to_wait=seconds) from failure


def is_transient(error: Exception) -> bool:
    """Whether trying again later may help. An error of another library may be transient, so it counts as such."""
    return bool(getattr(error, "is_transient", True))


def is_worth_a_retry(error: Exception) -> bool:
    """Whether the step is to be tried again, which takes minutes.

    What has never worked at all is mostly a wrong setting or a machine without a network. Only a warehouse that may be
    starting again beside Dagster's services is waited for, in a run that nobody watches.
    """
    if getattr(error, "has_never_worked", False):
        return isinstance(error, WarehouseError) and not last_words.is_command_of_a_person()
    return is_transient(error)


def log_cause(error: TaxiAssetsError, log: logging.Logger) -> None:
    """Write an error with its cause and their traces to the log, at level debug."""
    if error.__cause__ is not None:
        log.debug("The technical cause:\n%s", "".join(traceback.format_exception(error)))
