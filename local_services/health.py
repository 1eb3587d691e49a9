"""Whether a database accepts connections; ``taxi_assets/deployment/health.py`` knows it of Dagster's services."""

from __future__ import annotations

from typing import Final

import psycopg

HOST: Final = "127.0.0.1"

_SECONDS: Final = 5


def postgres_answers(port: int, *, database: str, user: str, password: str) -> bool:
    """Whether the server accepts a connection to the database."""
    try:
        psycopg.connect(
            host=HOST, port=port, dbname=database, user=user, password=password, connect_timeout=_SECONDS
        ).close()
    except psycopg.OperationalError:
        return False
    return True
