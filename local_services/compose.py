"""docker-compose.yml as data: the command, settings and port of each service, and the services that it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from dotenv import dotenv_values
from dotenv.variables import Variable, parse_variables

from taxi_assets.errors import SettingsError

PROJECT: Final = Path(__file__).resolve().parents[1]
COMPOSE_FILE: Final = PROJECT / "docker-compose.yml"

# The variables by which each kind of program gets its port.
_LISTENS: Final = ("PGPORT", "DAGSTER_GRPC_PORT", "DAGSTER_WEBSERVER_PORT")


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        name: Its name, which is also its host name among containers.
        command: The command with its arguments; empty if it is the image's own.
        environment: Its environment variables, with the user's settings filled in.
        set_by: For each of these that a setting fills in, the name of that setting.
        starts_after: Names of the services that must be healthy first.
        port: The port that it listens on, if a setting gives it.
        port_variable: The name of that setting.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    set_by: Mapping[str, str]
    starts_after: frozenset[str]
    port: int | None
    port_variable: str | None


def user_settings(project: Path = PROJECT) -> dict[str, str]:
    """The variables that the user has set in ``.env`` or in the environment, which wins; without empty ones."""
    chosen = {**dotenv_values(project / ".env"), **os.environ}
    return {name: value for name, value in chosen.items() if value}


def read_services(variables: Mapping[str, str], file: Path = COMPOSE_FILE) -> dict[str, Service]:
    """All services by name.

    Args:
        variables: Values for ``${NAME:-default}`` in the file.
        file: The file to read.

    Raises:
        SettingsError: A port is not a number.
    """
    services: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return {name: _service(name, fields, variables) for name, fields in services.items()}


def _service(name: str, fields: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    written = {key: str(value) for key, value in fields.get("environment", {}).items()}
    port = next((written[key] for key in _LISTENS if key in written), None)
    return Service(
        name=name,
        command=tuple(fields.get("command", ())),
        environment={key: filled_in(value, variables) for key, value in written.items()},
        set_by={key: names[0] for key, value in written.items() if (names := _variables_in(value))},
        starts_after=frozenset(fields.get("depends_on", {})),
        port=_port(port, variables) if port else None,
        port_variable=_variables_in(port)[0] if port else None,
    )


def _port(text: str, variables: Mapping[str, str]) -> int:
    value = filled_in(text, variables)
    if not value.isdecimal() or not 0 < int(value) < 2**16:
        raise SettingsError(f"{_variables_in(text)[0]} is “{value}”: set it to the number of a port, such as 3000.")
    return int(value)


def _variables_in(text: str) -> Sequence[str]:
    return [atom.name for atom in parse_variables(text) if isinstance(atom, Variable)]


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """A text with every ``${NAME:-default}`` replaced by its value."""
    return "".join(atom.resolve(variables) for atom in parse_variables(text))
