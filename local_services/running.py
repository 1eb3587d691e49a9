"""The settings of services that run, as their processes have them, compared with those that the user has set now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from local_services.services import LocalService
from taxi_assets import settings
from taxi_assets.shell import is_setting

_SECRETS: Final = ("PASSWORD", "URL", "CREDS", "WEBHOOK")
"""Parts of the names of variables whose values may be or contain a secret."""

_DEFAULTS: Final[Mapping[str, str]] = {settings.SOURCE.name: settings.RELEASE_NAME}


@dataclass(frozen=True)
class Change:
    """A setting that a running service does not have as the user has set it now.

    Attributes:
        name: The variable.
        running: Its value in the service; None if it is not set there.
        wanted: Its value now; None if it is not set.
    """

    name: str
    running: str | None
    wanted: str | None

    def __str__(self) -> str:
        """As part of a sentence, without secrets."""
        if any(part in self.name for part in _SECRETS):
            return f"{self.name} has another value"
        return f"{self.name} is {_shown(self.running)} and would be {_shown(self.wanted)}"


def settings_in(service: LocalService) -> Mapping[str, str] | None:
    """The settings that the process of a service was started with; None if it does not run."""
    environment = service.process.environment()
    return None if environment is None else {name: value for name, value in environment.items() if is_setting(name)}


def changes(services: Iterable[LocalService]) -> list[Change]:
    """The settings that running services have, and would have otherwise if they were started now."""
    found: dict[str, Change] = {}
    known = {setting.name for group in settings.SETTINGS.values() for setting in group}
    for service in services:
        running = service.process.environment()
        if running is None:
            continue
        names = service.service.environment.keys()
        # Programs of Dagster get all settings, databases only those that docker-compose.yml gives them.
        for name in sorted(names | known if settings.DAGSTER_HOME.name in names else names):
            was, would_be = running.get(name), service.environment.get(name)
            if (was or _DEFAULTS.get(name)) != (would_be or _DEFAULTS.get(name)):
                shown = service.service.set_by.get(name, name)
                found.setdefault(shown, Change(shown, was, would_be))
    return list(found.values())


def _shown(value: str | None) -> str:
    return f"“{value}”" if value else "not set"
