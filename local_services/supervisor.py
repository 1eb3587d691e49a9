"""Starts a service again that has died, as Docker does with ``restart: unless-stopped``."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from local_services.errors import LocalServiceError
from local_services.services import LocalService

_LOOK_SECONDS: Final = 1.0
# Docker's pauses.
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 60.0
_RUNS_WELL_SECONDS: Final = 10.0

Say = Callable[[str], None]


@dataclass
class _Watched:
    """A service that died before: when it was started again, and the pause after its next death."""

    started: float
    pause: float


class Supervisor:
    """Looks after services that are to run."""

    def __init__(self, services: Mapping[str, LocalService], say: Say) -> None:
        """Watch these services.

        Args:
            services: The services by name, running or not.
            say: Gets a line for each service that is started again.
        """
        self._services = services
        self._say = say
        self._watched: dict[str, _Watched] = {}

    def look(self, now: float) -> None:
        """Start each service again that has died, unless it died so soon that a pause is due.

        Args:
            now: Seconds on a clock that is not set.
        """
        for name, service in self._services.items():
            if not service.process.has_died:
                continue
            before = self._watched.get(name)
            if before and now - before.started < before.pause:
                continue
            pause = _FIRST_PAUSE_SECONDS
            if before and now - before.started <= before.pause + _RUNS_WELL_SECONDS:
                pause = min(2 * before.pause, _LONGEST_PAUSE_SECONDS)
            self._watched[name] = _Watched(now, pause)
            self._start(service)

    def watch(self) -> None:
        """Look every second until the process is told to end (SIGTERM)."""
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda _number, _frame: told.set())
        while not told.wait(_LOOK_SECONDS):
            self.look(time.monotonic())

    def _start(self, service: LocalService) -> None:
        last_lines = service.process.end_of_log()
        at = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
        try:
            service.start()
        except (LocalServiceError, OSError) as error:
            self._say(f"{at} {service.title} has died and can't be started again: {error}")
        else:
            earlier = service.process.earlier_log
            self._say(f"{at} {service.title} has died and was started again; see {earlier} (“{last_lines}”)")
