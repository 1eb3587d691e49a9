"""One writer at a time, across machines: the writer that makes an object of a name in the bucket holds that name.

The holder renews the object. A holder that was killed does not, and a waiting writer that has seen the object
unchanged for long enough, by its own clock, removes it; so no two machines need to agree on the time.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed
from google.cloud import storage

from taxi_assets.ownership import MADE_BY
from taxi_assets.waiting import InUse, wait_for

_FOLDER: Final = ".taxi_assets/leases"
_PAUSE_SECONDS: Final = 1.0


@contextmanager
def lease(
    bucket: storage.Bucket, name: str, *, lasting_seconds: float, wait_seconds: float, log: logging.Logger
) -> Iterator[None]:
    """Hold a name for the length of the block, while others wait for it.

    Args:
        bucket: The bucket that all who ask share.
        name: What is held.
        lasting_seconds: After how long without a sign of life a holder counts as dead.
        wait_seconds: How long to wait for other holders that live.
        log: Where waiting is told.

    Raises:
        WarehouseBusyError: Another held it for longer than ``wait_seconds``.
        google.api_core.exceptions.GoogleAPICallError: Cloud Storage refused.
    """
    sign = _Sign(bucket, f"{_FOLDER}/{name}")
    _take(sign, name, lasting_seconds, wait_seconds, log)
    released = threading.Event()
    renewal = threading.Thread(target=_renew, args=(sign, released, lasting_seconds / 3, log), daemon=True)
    renewal.start()
    try:
        yield
    finally:
        released.set()
        renewal.join()
        sign.remove()


class _Sign:
    """The object that says who holds the name; its generation is known to its holder only."""

    def __init__(self, bucket: storage.Bucket, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._content = uuid.uuid4().hex
        self._generation = 0

    def put(self) -> None:
        """Make it, or renew it where it is ours.

        Raises:
            google.api_core.exceptions.PreconditionFailed: Another holder's is there, or has taken its place.
        """
        blob = self._bucket.blob(self._name)
        blob.metadata = dict(MADE_BY)
        blob.upload_from_string(self._content, if_generation_match=self._generation)
        self._generation = blob.generation

    def remove(self) -> None:
        """Remove it where it is ours; what fails here ends by itself."""
        with suppress(GoogleAPICallError):
            self._bucket.blob(self._name).delete(if_generation_match=self._generation)

    def others(self) -> int | None:
        """Generation of the object that another holder has put there, if any."""
        blob = self._bucket.get_blob(self._name)
        return None if blob is None else int(blob.generation)

    def remove_others(self, generation: int) -> None:
        """Remove another holder's, unless it has changed."""
        with suppress(NotFound, PreconditionFailed):
            self._bucket.blob(self._name).delete(if_generation_match=generation)


def _take(sign: _Sign, name: str, lasting_seconds: float, wait_seconds: float, log: logging.Logger) -> None:
    seen: int | None = None
    seen_since = time.monotonic()

    def put() -> None:
        nonlocal seen, seen_since
        try:
            sign.put()
        except PreconditionFailed as error:
            others, now = sign.others(), time.monotonic()
            if others != seen:
                seen, seen_since = others, now
            if others is not None and now - seen_since > lasting_seconds:
                log.info(f"The load of {name} that held it gives no sign of life: going on without it")
                sign.remove_others(others)
            raise InUse("another load") from error

    wait_for(
        put, what=name, log=log, pause_seconds=min(_PAUSE_SECONDS, lasting_seconds / 4), timeout_seconds=wait_seconds
    )


def _renew(sign: _Sign, released: threading.Event, every_seconds: float, log: logging.Logger) -> None:
    while not released.wait(every_seconds):
        try:
            sign.put()
        except PreconditionFailed:
            log.warning("Another load has gone on without this one, which gave no sign of life for too long")
            return
        except Exception as error:  # the next attempt may succeed, and others wait for some of them
            log.warning(f"A sign of life could not be given ({type(error).__name__}): trying again")
