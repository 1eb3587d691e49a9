"""The PostgreSQL server as a Dagster resource: settings, connections, and errors as sentences for people."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import adbc_driver_manager
import dagster as dg
import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field

from taxi_assets.errors import (
    SettingsError,
    TaxiAssetsError,
    WarehouseBusyError,
    WarehouseError,
    WarehouseUnavailableError,
    WarehouseUnreachableError,
)
from taxi_assets.reachability import known_address
from taxi_assets.warehouses.postgres.watchdog import within

_REMEDIES: Final = {
    errors.DiskFull.sqlstate: "make room on the server's disk, then run again",
    errors.OutOfMemory.sqlstate: "free memory on the server, then run again",
    errors.InsufficientPrivilege.sqlstate: (
        "grant the user CREATE on the schema, or set TAXI_POSTGRES_SCHEMA to another schema"
    ),
    errors.UniqueViolation.sqlstate: "drop the unique index of yours that these rows break, then run again",
    errors.QueryCanceled.sqlstate: "raise the server's statement_timeout for this user, then run again",
    errors.LockNotAvailable.sqlstate: (
        "end the sessions that use the table, or raise the PostgreSQL resource's lock_wait_seconds, then run again"
    ),
    errors.DependentObjectsStillExist.sqlstate: (
        "let what depends on the monthly table use the main table instead, with a filter on file_month"
    ),
}
"""What to do about an error, by its SQLSTATE, whichever driver raised it."""

_BROKEN: Final = ("08", "57P", "53300")
"""Prefixes of the SQLSTATEs for a broken connection, and for a server that is stopping, starting or full."""

_KEEPALIVES: Final = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Settings by which libpq notices within about a minute that the server can't be reached any more."""

_NOTICE_A_LOST_CLIENT: Final = {
    "client_connection_check_interval": "10s",
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60s",
}
"""The server's settings by which it notices that a client is lost, and releases the lock of its load."""

_PATIENCE_SECONDS: Final = 6.0
"""How long a server that has never answered is tried: longer than a server takes to start again."""

_PAUSE_SECONDS: Final = 1.0

_ANSWER: Final = "FATAL:"
"""What a server says before its reason, in most languages. Without it, none was reached."""

_CONTESTED: Final = ("40", "55P03")
"""Prefixes of the SQLSTATEs for a conflict with another session: a deadlock, or a lock that is not available."""


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The server's address, database and user: either a URL, or at least host, database and user."""

    url: str | None = Field(default=None, description="postgresql://user:password@host:port/database")
    host: str | None = Field(default=None, description="Host name or address, if there is no URL.")
    port: str = Field(default="5432", description="Port of the server.")
    database: str | None = Field(default=None, description="Name of the database.")
    user: str | None = Field(default=None, description="Name of the user.")
    password: str | None = Field(default=None, description="Password of the user.")
    sslmode: str | None = Field(default=None, description="libpq's sslmode.")
    schema_name: str = Field(default="public", description="Schema of the tables; it is created if it is missing.")
    connect_timeout_seconds: int = Field(default=10, description="Seconds to wait for a connection.")
    check_seconds: float = Field(
        default=30.0, gt=0, description="Seconds between two checks whether the server still knows a connection."
    )
    stalled_seconds: float = Field(
        default=900.0, gt=0, description="Seconds without any progress after which a statement is given up."
    )

    def conninfo(self) -> str:
        """The connection string for libpq. It contains the password: never log it.

        Raises:
            SettingsError: A setting is missing or can't be read; the message names the variable to set.
        """
        defaults: dict[str, str | int | None] = {
            "connect_timeout": self.connect_timeout_seconds,
            "application_name": "taxi_assets",
            **_KEEPALIVES,
        }
        if self.url:
            conninfo = _read_url(self.url, defaults)
            if conninfo is None:
                raise SettingsError(
                    "TAXI_POSTGRES_URL can't be read as a connection: write "
                    "postgresql://user:password@host:port/database, with @ / % in the password as %40 %2F %25."
                )
            return conninfo
        for field in ("host", "database", "user"):
            if not getattr(self, field):
                raise SettingsError(
                    f"TAXI_POSTGRES_{field.upper()} is not set: set it, or set TAXI_POSTGRES_URL instead of all parts."
                )
        parts: dict[str, str | int | None] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
        }
        optional = {"password": self.password, "sslmode": self.sslmode}
        return make_conninfo("", **parts, **defaults, **{name: value for name, value in optional.items() if value})

    @property
    def place(self) -> str:
        """The server and database for messages, without user and password."""
        parts = conninfo_to_dict(self.conninfo())
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @contextmanager
    def get_connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for the duration of a ``with`` block, with autocommit and only our schema in the search path.

        Raises:
            SettingsError: A setting is missing or can't be read.
            WarehouseError: The server can't be reached or refuses the user.
        """
        with self._connect() as connection:
            with within(connection, self.connect_timeout_seconds):
                connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.schema_name)))
                _let_server_notice_a_lost_client(connection)
            yield connection

    def _connect(self) -> psycopg.Connection[Any]:
        """A connection. A server that has never answered in this process is tried for some seconds.

        Raises:
            WarehouseError: See ``get_connection``.
        """
        server = known_address(self.place, _PATIENCE_SECONDS)
        while True:
            if (reason := server.news()) is not None:
                raise self._cannot_connect(reason, WarehouseUnreachableError)
            try:
                connection = psycopg.connect(self.conninfo(), autocommit=True)
            except psycopg.OperationalError as error:
                cause = " ".join(str(error).split())
                if _ANSWER in cause:
                    server.answered()
                if server.has_answered:
                    raise self._cannot_connect(cause, WarehouseUnavailableError) from error
                if server.is_given_up(cause):
                    raise self._cannot_connect(cause, WarehouseUnreachableError) from error
            else:
                server.answered()
                return connection
            time.sleep(_PAUSE_SECONDS)

    def _cannot_connect(self, cause: str, transient: type[WarehouseUnavailableError]) -> WarehouseError:
        problem: type[WarehouseError] = WarehouseError
        if "authentication failed" in cause or "no password supplied" in cause:
            remedy = f"check user and password in {self._set_by('user', 'password')}"
        elif "does not exist" in cause:
            remedy = f"check the names of database and user in {self._set_by('database', 'user')}, or create them"
        else:
            remedy = f"start the server, or check host and port in {self._set_by('host', 'port')}"
            problem = transient
        return problem(f"PostgreSQL at {self.place} can't be connected to ({cause}): {remedy}.")

    def _set_by(self, *fields: str) -> str:
        """The variables that these fields come from."""
        return "TAXI_POSTGRES_URL" if self.url else " and ".join(f"TAXI_POSTGRES_{field.upper()}" for field in fields)

    @contextmanager
    def translated_errors(self, action: str) -> Iterator[None]:
        """Translate the server's errors into one sentence: what could not be done, where, and what to do.

        Raises:
            WarehouseUnavailableError: The connection broke, or the server is stopping, starting or full.
            WarehouseBusyError: The statement was in conflict with another session.
            WarehouseError: Everything else.
        """
        try:
            yield
        except TaxiAssetsError:
            raise
        except psycopg.Error as error:
            cause = (error.diag.message_primary or str(error)).strip().partition("\n")[0]
            raise _in_words(action, self.place, cause, error.sqlstate) from error
        except adbc_driver_manager.Error as error:
            raise _in_words(action, self.place, " ".join(str(error).split()), error.sqlstate) from error


def _let_server_notice_a_lost_client(connection: psycopg.Connection[Any]) -> None:
    for name, value in _NOTICE_A_LOST_CLIENT.items():
        # Some of these settings are not supported on every operating system.
        with suppress(psycopg.Error):
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def _read_url(url: str, defaults: Mapping[str, str | int | None]) -> str | None:
    """The URL as libpq's keywords and values, with defaults for what it leaves out; None if it can't be read.

    libpq's own message about a URL could contain parts of the password. So could a message about a host or port that
    was misread because of an unescaped @ or / in the password.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return None
    ports = str(given.get("port") or "").split(",")
    is_misread = "@" in str(given.get("host") or "") or any(port and not port.isdecimal() for port in ports)
    return None if is_misread else make_conninfo("", **{**defaults, **given})


def _in_words(action: str, place: str, cause: str, sqlstate: str | None) -> WarehouseError:
    remedy = _REMEDIES.get(sqlstate or "", "the main table is unchanged; run again")
    # An error without a code was not sent by the server: it concerns the connection.
    problem = WarehouseError
    if not sqlstate or sqlstate.startswith(_BROKEN):
        problem = WarehouseUnavailableError
    elif sqlstate.startswith(_CONTESTED):
        problem = WarehouseBusyError
    return problem(f"PostgreSQL could not {action} at {place} ({cause.rstrip('.')}): {remedy}.")
