"""Dagster's storage in PostgreSQL, which keeps its connections open and waits for its server.

dagster-postgres opens one or more connections for each event, which costs four times as much as storing the event; only
its webserver keeps them open. And it gives a server that does not answer up after seconds: then a daemon ends, a run
fails with all of its months, or a code server no longer notices that its runs have ended. None of them can do anything
useful without the server, so all of them wait until it is back.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec, Self, TypeVar

from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import NullPool
from typing_extensions import override

from taxi_assets.dagster_internals import ConfigurableClassData, check_captured_interrupt, postgres_options

_STATEMENT_MILLISECONDS: Final = 60_000
_RECYCLE_SECONDS: Final = 1_800
_MORE_CONNECTIONS: Final = 20
_CONNECT_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.5
_SECONDS_BETWEEN_MESSAGES: Final = 60.0
_ATTEMPTS: Final = 5
# A server that refuses a connection says “FATAL”. These of its reasons pass by themselves.
_PASSING_REASONS: Final = ("starting up", "shutting down", "recovery", "not yet accepting", "terminating", "too many")

_log = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")


class PooledPostgresStorage(DagsterPostgresStorage):
    """Keeps one connection open, opens more for threads that need them at the same time, and replaces lost ones.

    A call whose connection is lost is made again. If the server had stored an event just before, the event is stored
    twice, which changes no state of a run or an asset.
    """

    def __init__(self, postgres_url: str, **options: Any) -> None:
        _wait_for_server(postgres_url)
        super().__init__(postgres_url, **options)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(
                statement_timeout=_STATEMENT_MILLISECONDS,
                pool_recycle=_RECYCLE_SECONDS,
                max_overflow=_MORE_CONNECTIONS,
            )
            event.listen(storage._engine, "do_connect", _connect)
            event.listen(storage._engine, "checkout", _require_alive)
            for name, method in inspect.getmembers(type(storage), inspect.isfunction):
                if not name.startswith("_"):
                    setattr(storage, name, _made_again(method.__get__(storage)))

    @classmethod
    @override
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(
            inst_data=inst_data,
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            **postgres_options(config_value),
        )


def _wait_for_server(postgres_url: str) -> None:
    engine = create_engine(postgres_url, poolclass=NullPool)
    event.listen(engine, "do_connect", _connect)
    engine.connect().close()


def _connect(dialect: Any, _record: Any, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
    """Open a connection; as long as the server can't be reached or is starting, wait for it."""
    options.setdefault("connect_timeout", _CONNECT_SECONDS)
    next_message = time.monotonic()
    while True:
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError as error:
            if not _may_pass(str(error)) or check_captured_interrupt():
                raise
            if time.monotonic() >= next_message:
                _log.warning("Waiting for Dagster's database: %s", " ".join(str(error).split()))
                next_message = time.monotonic() + _SECONDS_BETWEEN_MESSAGES
        time.sleep(_PAUSE_SECONDS)


def _may_pass(message: str) -> bool:
    """Whether waiting helps: not against a wrong password or a database that does not exist."""
    return "FATAL:" not in message or any(reason in message for reason in _PASSING_REASONS)


def _require_alive(connection: Any, _record: Any, _proxy: Any) -> None:
    """Make the pool replace a connection whose server has been restarted."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except connection.OperationalError as error:
        raise DisconnectionError from error


def _made_again(call: Callable[P, Result]) -> Callable[P, Result]:
    """The call, made again if its connection was lost while it was made."""

    @wraps(call)
    def made(*arguments: P.args, **options: P.kwargs) -> Result:
        for _ in range(_ATTEMPTS - 1):
            try:
                return call(*arguments, **options)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                _log.warning("The connection to Dagster's database was lost; asking again")
        return call(*arguments, **options)

    return made
