"""How dbt reaches the embedded warehouse, and finds the main tables under other names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import duckdb

from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.sql import identifier, literal
from taxi_assets.transactions import transaction
from taxi_assets.warehouses.duckdb.catalog import kind_of, single_row
from taxi_assets.warehouses.duckdb.connection import translated_errors
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets.warehouses.kind import SourceTable


def prepare_dbt(warehouse: DuckDBWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`.

    The file is opened and closed first, to wait while it is in use, and to fail with a clear message if it can't be
    opened.
    """
    with warehouse.get_connection() as connection:
        database, schema = _place(connection)
    return {
        "TAXI_DBT_DUCKDB_PATH": str(warehouse.path),
        "TAXI_DBT_DUCKDB_MEMORY_LIMIT": warehouse.memory_limit,
        "DBT_DATABASE": database,
        "DBT_SCHEMA": schema,
    }


@contextmanager
def show_to_dbt(warehouse: DuckDBWarehouse, tables: Sequence[SourceTable], folder: Path) -> Iterator[Mapping[str, str]]:
    """See :class:`taxi_assets.warehouses.kind.ShowToDbt`.

    Tables of another schema are views in the warehouse. Tables of another database are views in a small file of that
    name, which dbt attaches. DuckDB keeps that name in the views that dbt makes. So afterwards they are given the names
    of the main tables, and everybody can read them without the small file.
    """
    with translated_errors(warehouse.path, "show dbt the main tables"), warehouse.get_connection() as connection:
        database, schema = _place(connection)
        found = [
            replace(table, database=table.database or database) for table in tables if kind_of(connection, table.table)
        ]
        for table in found:
            if table.database == database and table.schema != schema:
                _create_view(connection, table, f"{identifier(schema)}.{identifier(table.table)}")
        elsewhere = sorted((table for table in found if table.database != database), key=str)
        attached: list[Mapping[str, object]] = []
        for name, others in groupby(elsewhere, key=lambda table: table.database):
            file = folder / f"sources_{len(attached)}.duckdb"
            _write_views(connection, name, list(others), f"{identifier(database)}.{identifier(schema)}", file)
            attached.append({"path": str(file), "alias": identifier(name), "read_only": True})
    try:
        # The profile reads it as a Python literal.
        yield {"TAXI_DBT_DUCKDB_ATTACH": repr(attached)}
    finally:
        if elsewhere:
            doing = translated_errors(warehouse.path, "rename what dbt's views read")
            with doing, warehouse.get_connection() as connection, transaction(connection):
                _name_main_tables(connection, elsewhere, schema)


def _place(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """The names of the database and of the schema with the main tables."""
    database, schema = single_row(connection.execute("SELECT current_database(), current_schema()"))
    return database, schema


def _write_views(
    connection: duckdb.DuckDBPyConnection, database: str, tables: Sequence[SourceTable], place: str, file: Path
) -> None:
    """A file with views of the main tables in ``place``, as a database of that name."""
    file.unlink(missing_ok=True)
    connection.execute(f"ATTACH {literal(str(file))} AS {identifier(database)}")
    try:
        for table in tables:
            _create_view(connection, table, f"{place}.{identifier(table.table)}")
    finally:
        connection.execute(f"DETACH {identifier(database)}")


def _create_view(connection: duckdb.DuckDBPyConnection, table: SourceTable, main_table: str) -> None:
    """A view of a main table under another name, unless somebody has a table of that name."""
    name = f"{identifier(table.database)}.{identifier(table.schema)}.{identifier(table.table)}"
    comments = connection.execute(
        """
        SELECT coalesce("comment", '') FROM (
            SELECT "database_name", "schema_name", "table_name", "comment" FROM duckdb_tables()
            UNION ALL
            SELECT "database_name", "schema_name", "view_name", "comment" FROM duckdb_views()
        )
        WHERE "database_name" = $database AND "schema_name" = $schema AND "table_name" = $table
        """,
        vars(table),
    ).fetchall()
    if all(comment.startswith(COMMENT_PREFIX) for (comment,) in comments):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(table.database)}.{identifier(table.schema)}")
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {main_table}")
        connection.execute(f"COMMENT ON VIEW {name} IS {literal(f'{COMMENT_PREFIX}{table.table}, for dbt.')}")


def _name_main_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[SourceTable], schema: str) -> None:
    """Let views that name these tables read the main tables in ``schema`` instead."""
    found = connection.execute(
        """SELECT "sql" FROM duckdb_views() WHERE "database_name" = current_database() AND NOT "internal" """
    ).fetchall()
    for (statement,) in found:
        renamed = statement
        for table in tables:
            own = f"{identifier(schema)}.{identifier(table.table)}"
            renamed = re.sub(_spelling(table), own.replace("\\", r"\\"), renamed)
        if renamed != statement:
            connection.execute(re.sub(r"^CREATE VIEW", "CREATE OR REPLACE VIEW", renamed))


def _spelling(table: SourceTable) -> str:
    """A pattern for a table's full name in the text of a view, in which DuckDB quotes only what it must."""
    names = (table.database, table.schema, table.table)
    parts = (rf"(?:{re.escape(name)}|{re.escape(identifier(name))})" for name in names)
    return r'(?<![\w".])' + r"\.".join(parts) + r'(?![\w"])'
