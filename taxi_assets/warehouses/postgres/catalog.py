"""The server's catalog: what a name stands for, and the comments by which the project recognises its own tables."""

from __future__ import annotations

from typing import Any, Final, Literal

import psycopg
from psycopg import sql

from taxi_assets.errors import WarehouseError
from taxi_assets.ownership import COMMENT_PREFIX

Connection = psycopg.Connection[Any]
TableKind = Literal["table", "partitioned", "partition", "other"]

_IN_OUR_SCHEMA: Final = "relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
_KINDS: Final[dict[tuple[str, bool], TableKind]] = {
    ("r", False): "table",
    ("r", True): "partition",
    ("p", False): "partitioned",
}


def kind_of(connection: Connection, name: str) -> TableKind | None:
    """The kind of the table with that name in the project's schema; None if nothing has that name."""
    row = connection.execute(
        f"SELECT relkind, relispartition FROM pg_class WHERE {_IN_OUR_SCHEMA} AND relname = %s",
        (name,),
    ).fetchone()
    return _KINDS.get((row[0], row[1]), "other") if row else None


def require_own_table(connection: Connection, name: str) -> None:
    """Make sure that a table, if it exists, was created by this project.

    Raises:
        WarehouseError: It belongs to another program.
    """
    if kind_of(connection, name) and not comment_on(connection, name).startswith(COMMENT_PREFIX):
        raise WarehouseError(
            f"There is a table {name} that this project did not create: nothing was changed; rename it, or set "
            "TAXI_POSTGRES_SCHEMA to another schema, then run again."
        )


def drop_own(connection: Connection, name: str) -> None:
    """Drop the table of that name, if it exists.

    Raises:
        WarehouseError: It belongs to another program.
    """
    if kind_of(connection, name):
        require_own_table(connection, name)
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def comment_on(connection: Connection, name: str) -> str:
    """The comment on the table of that name; empty if there is none."""
    row = connection.execute(
        f"SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE {_IN_OUR_SCHEMA} AND relname = %s",
        (name,),
    ).fetchone()
    return (row[0] or "") if row else ""


def comment_on_table(connection: Connection, name: str, text: str) -> None:
    """Comment on a table, which also marks it as created by this project."""
    statement = sql.SQL("COMMENT ON TABLE {} IS {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Literal(COMMENT_PREFIX + text)))


def comment_on_column(connection: Connection, table: str, column: str, text: str) -> None:
    """Comment on a column."""
    statement = sql.SQL("COMMENT ON COLUMN {}.{} IS {}")
    connection.execute(statement.format(sql.Identifier(table), sql.Identifier(column), sql.Literal(text)))


def column_types(connection: Connection, table: str) -> dict[str, str]:
    """Type of each column of a table, as the server spells it."""
    return dict(
        connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (sql.Identifier(table).as_string(connection),),
        ).fetchall()
    )


def columns_digest(connection: Connection, table: str) -> str:
    """Digest of the names, types and numbers of a table's columns. A column that was added again has a new number."""
    ((digest,),) = connection.execute(
        "SELECT md5(string_agg(concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod)), ',' ORDER BY attnum))"
        " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (sql.Identifier(table).as_string(connection),),
    ).fetchall()
    return str(digest)


def partition_comments(connection: Connection, table: str) -> dict[str, str]:
    """The comment of each partition of a table, by the partition's name."""
    rows = connection.execute(
        "SELECT relname, coalesce(obj_description(oid, 'pg_class'), '') FROM pg_inherits"
        " JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass",
        (sql.Identifier(table).as_string(connection),),
    ).fetchall()
    return dict(rows)


def secondary_indexes(connection: Connection, table: str) -> list[str]:
    """Statements that create the indexes and unique constraints of a partitioned table on a table named ``{}``.

    The primary key is not included. A partition that has them already is attached without building anything under a
    lock.
    """
    rows = connection.execute(
        """
        SELECT coalesce(
            'ALTER TABLE {} ADD ' || pg_get_constraintdef(pg_constraint.oid),
            replace(
                pg_get_indexdef(pg_index.indexrelid),
                format(' INDEX %%I ON ONLY %%I.%%I ', index_name.relname, current_schema(), %(table)s::text),
                ' INDEX ON {} '
            )
        )
        FROM pg_index
        JOIN pg_class AS index_name ON index_name.oid = pg_index.indexrelid
        LEFT JOIN pg_constraint ON conindid = pg_index.indexrelid AND conrelid = pg_index.indrelid
        WHERE pg_index.indrelid = %(quoted)s::regclass AND NOT pg_index.indisprimary
        """,
        {"table": table, "quoted": sql.Identifier(table).as_string(connection)},
    ).fetchall()
    return [row[0] for row in rows]
