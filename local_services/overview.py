"""What ``make status`` and ``make up`` say about the services: their settings, the warehouses and the next click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local_services.machine import Machine
from local_services.running import settings_in
from taxi_assets import settings
from taxi_assets.source.address import source_in_words

_DEFAULT_PASSWORD: Final = "taxi"  # noqa: S105 - docker-compose.yml says it to everybody


def overview(machine: Machine) -> Sequence[tuple[str, str]]:
    """Subjects and what is to be said about each, for services that run; nothing if the code server does not."""
    chosen = settings_in(machine.services["code"])
    if chosen is None:
        return []
    return [
        ("Source", source_in_words(chosen.get(settings.SOURCE.name, settings.RELEASE_NAME))),
        ("DuckDB", str(machine.home / "warehouse.duckdb")),
        *_postgres(chosen),
        *_bigquery(chosen),
        ("Command line", "make shell: dg and dagster with these settings, so that the UI shows their runs"),
        (
            "Next",
            f"open {machine.services['webserver'].address}/jobs, choose load_all, Materialize all…, 2019-01 to 2019-03",
        ),
    ]


def _postgres(chosen: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    url = chosen.get(settings.POSTGRES_URL.name)
    if url is not None:
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # The library's message may contain parts of the password.
            parts = {}
        place = _place(parts.get("host"), parts.get("port"), parts.get("dbname"), parts.get("user"))
        return [("PostgreSQL", f"{place}; its password is in {settings.POSTGRES_URL}")]
    parts = {
        name: chosen.get(setting.name)
        for name, setting in {
            "host": settings.POSTGRES_HOST,
            "port": settings.POSTGRES_PORT,
            "database": settings.POSTGRES_DATABASE,
            "user": settings.POSTGRES_USER,
        }.items()
    }
    password = chosen.get(settings.POSTGRES_PASSWORD.name)
    known = f"password {_DEFAULT_PASSWORD}, the default of docker-compose.yml"
    where = known if password == _DEFAULT_PASSWORD else f"its password is in {settings.POSTGRES_PASSWORD}"
    return [("PostgreSQL", f"{_place(**parts)}; {where}")]


def _place(host: object, port: object, database: object, user: object) -> str:
    return f"{host or 'localhost'}:{port or 5432}, database {database or 'not named'}, user {user or 'not named'}"


def _bigquery(chosen: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    project = chosen.get(settings.GCP_PROJECT.name)
    return [("BigQuery", f"{project}.{chosen.get(settings.GCP_DATASET.name, '')}")] if project else []
