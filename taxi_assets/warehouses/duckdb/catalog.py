"""The database's catalog: what a name stands for, and the comments by which the project recognises its own tables."""

from __future__ import annotations

from typing import Any

import duckdb

from taxi_assets.errors import WarehouseError
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.sql import identifier, literal


def kind_of(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """``TABLE``, ``VIEW``, or None if nothing has that name."""
    rows = connection.execute(
        """
        SELECT replace("table_type", 'BASE ', '')
        FROM information_schema."tables"
        WHERE "table_catalog" = current_database() AND "table_schema" = current_schema() AND "table_name" = $name
        """,
        {"name": name},
    ).fetchall()
    return rows[0][0] if rows else None


def drop_own(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Drop the table or view of that name, if it exists.

    Raises:
        WarehouseError: It belongs to another program.
    """
    kind = kind_of(connection, name)
    if kind:
        require_own_table(connection, name)
        connection.execute(f"DROP {kind} {identifier(name)}")


def require_own_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make sure that a table or view was created by this project.

    Raises:
        WarehouseError: It belongs to another program.
    """
    if not comment_on(connection, name).startswith(COMMENT_PREFIX):
        raise WarehouseError(
            f"There is a table {name} that this project did not create: nothing was changed; rename it, then run again."
        )


def comment_on(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The comment on a table or view; empty if it has none."""
    result = connection.execute(
        """
        SELECT coalesce(any_value("comment"), '') FROM (
            SELECT "database_name", "schema_name", "table_name", "comment" FROM duckdb_tables()
            UNION ALL
            SELECT "database_name", "schema_name", "view_name", "comment" FROM duckdb_views()
        )
        WHERE "database_name" = current_database() AND "schema_name" = current_schema() AND "table_name" = $name
        """,
        {"name": name},
    )
    return str(single_row(result)[0])


def comment(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, text: str, *, prefix: str = COMMENT_PREFIX
) -> None:
    """Comment on a table, view or column (``table.column``)."""
    quoted = ".".join(identifier(part) for part in name.split("."))
    connection.execute(f"COMMENT ON {kind} {quoted} IS {literal(prefix + text)}")


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Type of each column of a table, as DuckDB spells it."""
    rows = connection.execute(
        """
        SELECT "column_name", "data_type"
        FROM duckdb_columns()
        WHERE "database_name" = current_database() AND "schema_name" = current_schema() AND "table_name" = $table
        """,
        {"table": table},
    ).fetchall()
    return dict(rows)


def single_row(result: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> tuple[Any, ...]:
    """The one row of a query that always has exactly one."""
    (row,) = result.fetchall()
    return tuple(row)
