"""A load that kills its own process before a chosen request, as a power cut would: run in a child process."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import Any

import requests

from emulators.running import Emulators
from taxi_assets.source.raw_files import trip_file
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import GREEN, JANUARY

_LOG = logging.getLogger(__name__)


def load_until(folder: Path, emulators: Emulators, names: tuple[str, str], deadly: tuple[str, str]) -> None:
    """Load January, from the landed file to main, and die just before the request that does a certain thing.

    Args:
        folder: The project's folder.
        emulators: Where the emulators are.
        names: Of the bucket and the dataset.
        deadly: The request's method, and a part of its address or of what it sends.
    """
    _die_before(*deadly)
    load_january(GcpProject(folder, emulators, names=names))


def load_january(project: GcpProject) -> None:
    """All that happens to a landed month."""
    current = project.trip_source().current(trip_file(GREEN, JANUARY))
    warehouse = project.bigquery(lease_seconds=0.5)
    warehouse.store_object(GREEN, current, _LOG)
    warehouse.create_external_table(GREEN, JANUARY, current, _LOG)
    warehouse.load_month(GREEN, JANUARY, current, _LOG)
    warehouse.merge_month(GREEN, JANUARY, _LOG)


def _die_before(method: str, words: str) -> None:
    send = requests.Session.send

    def send_or_die(session: requests.Session, request: requests.PreparedRequest, **settings: Any) -> Any:
        sent = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        if request.method == method and (words in str(request.url) or words.encode() in sent):
            os.kill(os.getpid(), signal.SIGKILL)
        return send(session, request, **settings)

    requests.Session.send = send_or_die  # type: ignore[method-assign]
