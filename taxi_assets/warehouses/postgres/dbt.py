"""How dbt reaches the PostgreSQL server, and finds the main tables under other names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg import Connection, pq, sql
from psycopg.conninfo import conninfo_to_dict

from taxi_assets.errors import DbtError
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.warehouses.kind import SourceTable
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse


def prepare_dbt(warehouse: PostgresWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`.

    Settings that are not in dbt's profile, such as certificates, are passed in libpq's own variables.
    """
    with warehouse.get_connection():
        pass
    given = {name: str(value) for name, value in conninfo_to_dict(warehouse.conninfo()).items() if value is not None}
    ours = {
        "TAXI_DBT_POSTGRES_HOST": given.pop("host", ""),
        "TAXI_DBT_POSTGRES_PORT": given.pop("port", "5432"),
        "TAXI_DBT_POSTGRES_DATABASE": given.pop("dbname", ""),
        "TAXI_DBT_POSTGRES_USER": given.pop("user", ""),
        "TAXI_DBT_POSTGRES_PASSWORD": given.pop("password", ""),
        "TAXI_DBT_POSTGRES_SCHEMA": warehouse.schema_name,
        "DBT_SCHEMA": warehouse.schema_name,
    }
    ours["DBT_DATABASE"] = ours["TAXI_DBT_POSTGRES_DATABASE"]
    variables = {
        option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar
    }
    return {**ours, **{variables[name]: value for name, value in given.items() if name in variables}}


@contextmanager
def show_to_dbt(
    warehouse: PostgresWarehouse,
    tables: Sequence[SourceTable],
    folder: Path,  # noqa: ARG001 - no files are needed here
) -> Iterator[Mapping[str, str]]:
    """See :class:`taxi_assets.warehouses.kind.ShowToDbt`. Tables of another schema are views in that schema."""
    with warehouse.get_connection() as connection, warehouse.translated_errors("show dbt the main tables"):
        for table in tables:
            if table.database not in {"", connection.info.dbname}:
                raise DbtError(
                    f"The dbt project reads {table}, but PostgreSQL can't read another database than "
                    f"{connection.info.dbname} at {warehouse.place}: use a database called {table.database}, or leave "
                    "postgres out of TAXI_DBT_WAREHOUSES."
                )
            if table.schema != warehouse.schema_name:
                _create_view(connection, table)
    yield {}


def _create_view(connection: Connection[Any], table: SourceTable) -> None:
    """A view of a main table in another schema, if there is a main table, and nothing of that name."""
    name = sql.Identifier(table.schema, table.table)
    row = connection.execute(
        """
        SELECT to_regclass(quote_ident(%(table)s)) IS NOT NULL, coalesce(obj_description(other, 'pg_class'), ''), other
        FROM to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s)) AS other
        """,
        {"schema": table.schema, "table": table.table},
    ).fetchone()
    assert row is not None  # noqa: S101 - the query always has a row
    exists, comment, other = row
    if not exists or (other is not None and not comment.startswith(COMMENT_PREFIX)):
        return
    with connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.schema)))
        view = sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}")
        connection.execute(view.format(name, sql.Identifier(table.table)))
        text = sql.Literal(f"{COMMENT_PREFIX}{table.table}, for dbt.")
        connection.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(name, text))
