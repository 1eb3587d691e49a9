"""The PostgreSQL server as a Dagster resource: settings, connections, and its errors in words for people."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field

from taxi_assets.errors import SettingsError, TaxiAssetsError, WarehouseBusyError, WarehouseError

_log = logging.getLogger(__name__)


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the server is and who asks. Either a URL, or at least host, database and user."""

    url: str | None = Field(default=None, description="postgresql://user:password@host:port/database")
    host: str | None = Field(default=None, description="Host name or address, where there is no URL.")
    port: str = Field(default="5432", description="Port of the server.")
    database: str | None = Field(default=None, description="Name of the database.")
    user: str | None = Field(default=None, description="Name of the user.")
    password: str | None = Field(default=None, description="Password of the user.")
    sslmode: str | None = Field(default=None, description="libpq's sslmode.")
    schema_name: str = Field(default="public", description="Schema of the tables; it is made if it is missing.")
    connect_timeout_seconds: int = Field(default=10, description="How long a connection may take to come about.")

    def conninfo(self) -> str:
        """The connection as libpq reads it, password included: never log it.

        Raises:
            SettingsError: A setting is missing or can't be read; the sentence names the variable to set.
        """
        timeout: dict[str, str | int | None] = {
            "connect_timeout": self.connect_timeout_seconds,
            "application_name": "taxi_assets",
        }
        if self.url:
            try:
                return make_conninfo(self.url, **timeout)
            except psycopg.ProgrammingError:
                # The cause would show the address with its password.
                raise SettingsError(
                    "TAXI_POSTGRES_URL can't be read as a connection: write postgresql://user:password@host:port/database."
                ) from None
        for field in ("host", "database", "user"):
            if not getattr(self, field):
                raise SettingsError(
                    f"TAXI_POSTGRES_{field.upper()} is not set: set it, or TAXI_POSTGRES_URL in place of all parts."
                )
        parts: dict[str, str | int | None] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
        }
        optional = {"password": self.password, "sslmode": self.sslmode}
        return make_conninfo("", **parts, **timeout, **{name: value for name, value in optional.items() if value})

    @property
    def place(self) -> str:
        """The server and database as messages name it, without user and password."""
        parts = conninfo_to_dict(self.conninfo())
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @contextmanager
    def get_connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for the length of a ``with`` block: autocommit, and no schema but ours in the search path.

        Raises:
            SettingsError: A setting is missing or can't be read.
            WarehouseError: The server can't be reached or refuses the user.
        """
        try:
            connection = psycopg.connect(self.conninfo(), autocommit=True)
        except psycopg.OperationalError as error:
            raise self._cannot_connect(error) from error
        with connection:
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.schema_name)))
            yield connection

    def _cannot_connect(self, error: psycopg.OperationalError) -> WarehouseError:
        cause = " ".join(str(error).split())
        if "authentication failed" in cause or "no password supplied" in cause:
            remedy = "check user and password in TAXI_POSTGRES_URL or TAXI_POSTGRES_USER and TAXI_POSTGRES_PASSWORD"
        elif "does not exist" in cause:
            remedy = "check the names of database and user in TAXI_POSTGRES_URL, or create them"
        else:
            remedy = "start the server, or check host and port in TAXI_POSTGRES_URL"
        problem = WarehouseBusyError if "starting up" in cause or "too many" in cause else WarehouseError
        return problem(f"PostgreSQL at {self.place} can't be connected to ({cause}): {remedy}.")

    @contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """Turn the server's errors into a sentence that says what could not be done, where and what to do."""
        try:
            yield
        except TaxiAssetsError:
            raise
        except psycopg.Error as error:
            raise _in_words(action, self.place, error) from error


def _in_words(action: str, place: str, error: psycopg.Error) -> WarehouseError:
    cause = (error.diag.message_primary or str(error)).strip().partition("\n")[0].rstrip(".")
    match error:
        case psycopg.errors.DiskFull() | psycopg.errors.OutOfMemory():
            remedy = "make room on the server, then run again"
        case psycopg.errors.InsufficientPrivilege():
            remedy = "grant the user CREATE on the schema, or name another one in TAXI_POSTGRES_SCHEMA"
        case psycopg.errors.QueryCanceled():
            remedy = "raise the server's statement_timeout for this user, then run again"
        case psycopg.errors.DependentObjectsStillExist():
            remedy = "let what depends on the monthly table use the main table instead, with a filter on file_month"
        case _:
            remedy = "main is as it was before; run again"
    return WarehouseError(f"PostgreSQL could not {action} at {place} ({cause}): {remedy}.")
