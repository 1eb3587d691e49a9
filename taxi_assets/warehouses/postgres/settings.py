"""How the PostgreSQL server is reached, from environment variables.

Either one connection URL, or its parts:

============================  ===============================================================
``TAXI_POSTGRES_URL``         ``postgresql://user:password@host:port/database?sslmode=require``
``TAXI_POSTGRES_HOST``        host name or address; its presence switches PostgreSQL on as well
``TAXI_POSTGRES_PORT``        default 5432
``TAXI_POSTGRES_DATABASE``    required with a host
``TAXI_POSTGRES_USER``        required with a host
``TAXI_POSTGRES_PASSWORD``    none by default
``TAXI_POSTGRES_SSLMODE``     as libpq knows it; ``prefer`` by default
``TAXI_POSTGRES_SCHEMA``      default ``public``
============================  ===============================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

_PARTS: Final = ("host", "port", "database", "user", "password", "sslmode")


def is_configured() -> bool:
    """Whether anything says where the server is."""
    return bool(os.environ.get("TAXI_POSTGRES_URL") or os.environ.get("TAXI_POSTGRES_HOST"))


def connection_fields() -> Mapping[str, Any]:
    """The resource's fields. What is set is handed on by name, so that no password enters Dagster's configuration."""
    wanted = ("url", *_PARTS, "schema_name")
    variables = {field: f"TAXI_POSTGRES_{field.removesuffix('_name').upper()}" for field in wanted}
    return {field: dg.EnvVar(name) for field, name in variables.items() if os.environ.get(name)}
