"""Tasks about the measured PostgreSQL server: a database of one's own in it, and what it runs with."""

from __future__ import annotations

import os
import secrets
from typing import Any, Final

import psycopg
from psycopg import sql

_SETTINGS: Final = ("fsync", "synchronous_commit", "wal_level", "shared_buffers", "max_wal_size", "autovacuum")


def url() -> str:
    """Where the measured database is, password included."""
    return os.environ["TAXI_POSTGRES_URL"]


def connect(schema: str = "public") -> psycopg.Connection[Any]:
    """A connection that commits each statement, in a schema that is there from now on."""
    connection = psycopg.connect(url(), autocommit=True)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    return connection


def create() -> dict[str, Any]:
    """Create a database with a name that nobody has."""
    name = f"taxi_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return {"name": name}


def drop(database: str) -> dict[str, Any]:
    """Drop that database."""
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
    return {}


def describe() -> dict[str, Any]:
    """Version of the server, and the settings that say how much it writes."""
    with connect() as connection:
        settings = {name: connection.execute(f"SHOW {name}").fetchall()[0][0] for name in _SETTINGS}
        major, minor = divmod(connection.info.server_version, 10_000)
    return {"version": f"{major}.{minor}", "settings": settings}
