"""One writer at a time, across machines: a writer holds a name while its object of that name is in the bucket.

The holder renews the object; a holder that was killed does not. A waiting writer that has seen the object unchanged for
long enough replaces it. Each writer measures this by its own clock, so the machines need not agree on the time.

A dead holder may have started work elsewhere that goes on. Whoever takes over from it ends that work first. Whoever
can't leaves its object without renewing it, so that the next writer takes over, too, and tries again.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed
from google.cloud import storage

from taxi_assets.ownership import MADE_BY
from taxi_assets.waiting import InUse, wait_for

_FOLDER: Final = ".taxi_assets/leases"
_OWNER: Final = "owner"
_PAUSE_SECONDS: Final = 1.0


def _nothing() -> None:
    """Nothing has been left running."""


@contextmanager
def lease(
    bucket: storage.Bucket,
    name: str,
    *,
    lasting_seconds: float,
    wait_seconds: float,
    log: logging.Logger,
    after_dead_holder: Callable[[], object] = _nothing,
    after_failure: Callable[[], object] = _nothing,
) -> Iterator[None]:
    """Hold a name for the duration of a block, while other writers wait for it.

    Args:
        bucket: The bucket that all writers share.
        name: The name to hold.
        lasting_seconds: Seconds without a renewal after which a holder counts as dead.
        wait_seconds: Seconds to wait for a holder that is alive.
        log: The log for messages about waiting.
        after_dead_holder: Called before the block, and only if the name is taken over from a writer that counts as
            dead: ends what that writer has left running. If it raises, the next writer takes over and calls its own.
        after_failure: Called if the block raises: ends what the block has left running. If it raises, the block's error
            is the one that is raised, and the next writer takes over.

    Raises:
        WarehouseBusyError: Another writer held it for longer than ``wait_seconds``.
        google.api_core.exceptions.GoogleAPICallError: Cloud Storage refused the object.
        Exception: What ``after_dead_holder`` raised.
    """
    held = _HeldObject(bucket, f"{_FOLDER}/{name}")
    is_taken_over = _take(held, name, lasting_seconds, wait_seconds, log)
    released = threading.Event()
    renewal = threading.Thread(target=_renew, args=(held, released, lasting_seconds / 3, log), daemon=True)
    renewal.start()
    nothing_runs = False
    try:
        if is_taken_over:
            after_dead_holder()
        try:
            yield
        except BaseException:
            nothing_runs = _has_ended(after_failure, held, name, log)
            raise
        nothing_runs = True
    finally:
        released.set()
        renewal.join()
        if nothing_runs:
            held.remove()


def _has_ended(end: Callable[[], object], held: _HeldObject, name: str, log: logging.Logger) -> bool:
    """Whether nothing of a block that has failed goes on."""
    try:
        # What runs for a name that another writer has taken over is that writer's.
        if held.is_there():
            end()
    except Exception as error:  # the block's own error is the one to show
        log.warning(f"What was started for {name} may go on for a while, so the next load waits and ends it ({error})")
        return False
    return True


class _HeldObject:
    """The object of the writer that holds the name. Only this writer knows the object's generation."""

    def __init__(self, bucket: storage.Bucket, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._owner = uuid.uuid4().hex
        self._generation = 0

    def put(self, *, instead_of: int | None = None) -> bool:
        """Create the object, or renew it, and return whether it is this writer's.

        Args:
            instead_of: Generation of another writer's object, which is replaced unless it has changed.
        """
        blob = self._bucket.blob(self._name)
        blob.metadata = {**MADE_BY, _OWNER: self._owner}
        generation = self._generation if instead_of is None else instead_of
        try:
            blob.upload_from_string(b"", if_generation_match=generation)
        except PreconditionFailed:
            return self.is_there()
        self._generation = blob.generation
        return True

    def remove(self) -> None:
        """Remove the object if it is this writer's. A failure is harmless: without renewals the lease expires."""
        with suppress(GoogleAPICallError):
            if not self._remove(self._generation) and self.is_there():
                self._remove(self._generation)

    def others(self) -> int | None:
        """Generation of another writer's object; None if there is none."""
        blob = self._bucket.get_blob(self._name)
        return None if blob is None or self._is_own(blob) else int(blob.generation)

    def is_there(self) -> bool:
        """Whether the object is this writer's, even if the answer to the request that wrote it was lost."""
        blob = self._bucket.get_blob(self._name)
        if blob is None or not self._is_own(blob):
            return False
        self._generation = int(blob.generation)
        return True

    def _remove(self, generation: int) -> bool:
        try:
            self._bucket.blob(self._name).delete(if_generation_match=generation)
        except (NotFound, PreconditionFailed):
            return False
        return True

    def _is_own(self, blob: storage.Blob) -> bool:
        return (blob.metadata or {}).get(_OWNER) == self._owner


def _take(held: _HeldObject, name: str, lasting_seconds: float, wait_seconds: float, log: logging.Logger) -> bool:
    """Take the name, and return whether it was taken over from a writer that counts as dead."""
    seen: int | None = None
    seen_since = time.monotonic()

    def put() -> bool:
        nonlocal seen, seen_since
        # Whoever has seen another's object looks before writing: a look costs less.
        others = None if seen is None else held.others()
        if others is None:
            if held.put():
                return False
            others = held.others()
        now = time.monotonic()
        if others != seen:
            seen, seen_since = others, now
        # Replaced in one step, because a third writer that found no object would not know that one has died.
        if others is not None and now - seen_since > lasting_seconds and held.put(instead_of=others):
            log.info(f"Another load of {name} has not renewed its lease and counts as dead: continuing without it")
            return True
        raise InUse("another load")

    return wait_for(
        put, what=name, log=log, pause_seconds=min(_PAUSE_SECONDS, lasting_seconds / 4), timeout_seconds=wait_seconds
    )


def _renew(held: _HeldObject, released: threading.Event, every_seconds: float, log: logging.Logger) -> None:
    while not released.wait(every_seconds):
        try:
            if not held.put():
                log.warning("Another load has taken over the lease, because this load did not renew it in time")
                return
        except Exception as error:  # the next attempt may succeed, and the lease outlasts some attempts
            log.warning(f"The lease could not be renewed ({type(error).__name__}): trying again")
