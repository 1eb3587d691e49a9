"""Tasks about the measured PostgreSQL server: creating and dropping a database, and describing the server."""

from __future__ import annotations

import os
import secrets
from typing import Any, Final

import psycopg
from psycopg import sql

_SETTINGS: Final = ("fsync", "synchronous_commit", "wal_level", "shared_buffers", "max_wal_size", "autovacuum")


def url() -> str:
    """The address of the measured database, including the password."""
    return os.environ["TAXI_POSTGRES_URL"]


def connect(schema: str = "public") -> psycopg.Connection[Any]:
    """Open a connection that commits each statement, in a schema that is created if it is missing."""
    connection = psycopg.connect(url(), autocommit=True)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    return connection


def create() -> dict[str, Any]:
    """Create a database with a unique name."""
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
    """Return the server's version, and the settings that decide how much it writes."""
    with connect() as connection:
        settings = {name: connection.execute(f"SHOW {name}").fetchall()[0][0] for name in _SETTINGS}
        major, minor = divmod(connection.info.server_version, 10_000)
    return {"version": f"{major}.{minor}", "settings": settings}
