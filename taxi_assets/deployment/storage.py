"""Dagster's storage in PostgreSQL, which keeps its connections open.

dagster-postgres opens one or more connections for each event, which costs four times as much as storing the event; only
its webserver keeps them open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from typing_extensions import override

from taxi_assets.dagster_internals import ConfigurableClassData, postgres_options

_STATEMENT_MILLISECONDS = 60_000
_RECYCLE_SECONDS = 1_800
_MORE_CONNECTIONS = 20


class PooledPostgresStorage(DagsterPostgresStorage):
    """Keeps one connection open, opens more for threads that need them at the same time, and replaces lost ones."""

    def __init__(self, postgres_url: str, **options: Any) -> None:
        super().__init__(postgres_url, **options)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(
                statement_timeout=_STATEMENT_MILLISECONDS,
                pool_recycle=_RECYCLE_SECONDS,
                max_overflow=_MORE_CONNECTIONS,
            )
            event.listen(storage._engine, "checkout", _require_alive)

    @classmethod
    @override
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(
            inst_data=inst_data,
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            **postgres_options(config_value),
        )


def _require_alive(connection: Any, _record: Any, _proxy: Any) -> None:
    """Make the pool replace a connection whose server has been restarted."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except connection.OperationalError as error:
        raise DisconnectionError from error
