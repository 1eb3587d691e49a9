"""Starts bqemulator, and adds the features that it is missing and this project needs.

* It starts without its extensions for geography and Avro, which it would download.
* An external table over CSV or Parquet holds the rows that its objects have when it is created. Unchanged, bqemulator
  creates an empty table. (The real service reads the objects at each query.)
* Descriptions, labels and clustering that a statement gives to a table or view are kept, and a renamed table has its
  new name.
* A table can be copied by a statement.
* NUMERIC has nine decimals. Unchanged, it is DECIMAL(18, 3), DuckDB's own default, which rounds.
* A job that changes rows reports how many were inserted, updated and deleted.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlglot
from bqemulator.catalog.models import Clustering
from bqemulator.config import LogLevel, PersistenceMode, Settings
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.jobs import executor
from bqemulator.server import EmulatorServer
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from external_files import FORMATS, reader, stated_options
from lifeline import end_with_parent, report
from sqlglot import exp

_KEYS_OF_CHANGES: Final = {"INSERT": "insertedRowCount", "UPDATE": "updatedRowCount", "DELETE": "deletedRowCount"}

_changes_of_merge: Final[ContextVar[Mapping[str, int]]] = ContextVar("changes of the merge in hand")


def main() -> None:
    """Serve until the parent closes the input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the databases")
    parser.add_argument("--buckets", type=Path, required=True, help="folder with a folder for each bucket")
    parser.add_argument("--project", required=True, help="project that exists from the start")
    options = parser.parse_args()
    end_with_parent(options.data)

    DuckDBEngine._load_spatial = lambda _: None
    DuckDBEngine._load_format_extensions = lambda _: None
    fill_external_tables()
    note_what_statements_do()
    copy_tables()
    keep_nine_decimals()
    count_changed_rows()
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    server = EmulatorServer(
        Settings(
            rest_port=0,
            grpc_port=0,
            default_project_id=options.project,
            gcs_local_root=options.buckets,
            persistence_mode=PersistenceMode.EPHEMERAL,
            log_level=LogLevel.ERROR,
        )
    )
    await server.start()
    report(port=server.rest_port, emulator="bqemulator")
    await asyncio.Event().wait()


def fill_external_tables() -> None:
    """Replace how bqemulator runs a statement, so that one that creates an external table also fills it."""
    run = executor._run_single_sql

    async def run_statement(project: str, sql: str, parameters: Any, context: Any, *, caller: Any) -> Any:
        tree = _external_table(sql)
        result = await run(project, sql, parameters, context, caller=caller)
        if tree is not None:
            table = tree.find(exp.Table)
            reference = quoted_table_ref(table.catalog or project, table.db, table.name)
            try:
                _fill(context, reference, stated_options(tree))
            except Exception as error:
                raise InvalidQueryError(f"Error while reading table: {table.db}.{table.name}: {error}") from error
        return result

    executor._run_single_sql = run_statement


def note_what_statements_do() -> None:
    """Replace how bqemulator records what a statement has done, so that it keeps labels, clustering and new names."""
    run = executor._run_query_body

    async def run_statement(*, project_id: str, bq_sql: str, ctx: Any, **more: Any) -> Any:
        result = await run(project_id=project_id, bq_sql=bq_sql, ctx=ctx, **more)
        if more["is_scripted"]:
            return result
        for tree in sqlglot.parse(bq_sql, dialect="bigquery"):
            if isinstance(tree, exp.Create):
                _note_made(tree, project_id, ctx.catalog)
            elif isinstance(tree, exp.Alter):
                _note_renamed(tree, project_id, ctx.catalog)
        return result

    executor._run_query_body = run_statement


def copy_tables() -> None:
    """Replace how bqemulator runs a statement, so that CREATE TABLE COPY copies the rows, description and labels."""
    run = executor._run_query_body

    async def run_statement(*, project_id: str, bq_sql: str, ctx: Any, **more: Any) -> Any:
        tree = None if more["is_scripted"] else _copy(bq_sql)
        if tree is None:
            return await run(project_id=project_id, bq_sql=bq_sql, ctx=ctx, **more)
        source, target = tree.args["clone"].this, tree.find(exp.Table)
        described = ctx.catalog.get_table(source.catalog or project_id, source.db, source.name)
        tree.set("clone", None)
        tree.set("expression", exp.select("*").from_(source.copy()))
        result = await run(project_id=project_id, bq_sql=tree.sql(dialect="bigquery"), ctx=ctx, **more)
        made = ctx.catalog.get_table(target.catalog or project_id, target.db, target.name)
        kept = {"description": described.description, "labels": described.labels}
        ctx.catalog.update_table(made.model_copy(update=kept))
        return result

    executor._run_query_body = run_statement


def _copy(sql: str) -> exp.Create | None:
    if "COPY" not in sql.upper():
        return None
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    clone = tree.args.get("clone") if isinstance(tree, exp.Create) else None
    return tree if clone is not None and clone.args.get("copy") else None


def keep_nine_decimals() -> None:
    """Replace how bqemulator translates a statement, so that NUMERIC is as wide as BigQuery's."""
    translate = executor.rewrite_and_translate_statement

    async def translate_statement(sql: str, **more: Any) -> str:
        translated: str = await translate(sql, **more)
        return translated.replace("DECIMAL(18, 3)", "DECIMAL(38, 9)")

    executor.rewrite_and_translate_statement = translate_statement


def count_changed_rows() -> None:
    """Replace how bqemulator runs a MERGE and describes a job, so that it counts each kind of change."""
    fetch, sum_up = DuckDBEngine.fetch_arrow, executor._build_query_statistics

    def fetch_and_count(engine: DuckDBEngine, sql: str, parameters: Any = None) -> pa.Table:
        if not sql.lstrip().upper().startswith("MERGE"):
            return fetch(engine, sql, parameters)
        actions = fetch(engine, f"{sql} RETURNING merge_action", parameters)["merge_action"]
        _changes_of_merge.set(Counter(actions.to_pylist()))
        return pa.table({"Count": [len(actions)]})

    def sum_up_with_changes(*, statement_type: str, num_dml_affected_rows: int | None, **more: Any) -> dict[str, Any]:
        statistics = sum_up(statement_type=statement_type, num_dml_affected_rows=num_dml_affected_rows, **more)
        if num_dml_affected_rows is not None:
            changes = _changes_of_merge.get() if statement_type == "MERGE" else {statement_type: num_dml_affected_rows}
            statistics["query"]["dmlStats"] = {
                key: str(changes.get(action, 0)) for action, key in _KEYS_OF_CHANGES.items()
            }
        return statistics

    DuckDBEngine.fetch_arrow = fetch_and_count
    executor._build_query_statistics = sum_up_with_changes


def _note_made(tree: exp.Create, project: str, catalog: Any) -> None:
    table = tree.find(exp.Table)
    made = catalog.get_table(table.catalog or project, table.db, table.name)
    if made is not None:
        catalog.update_table(made.model_copy(update=_stated(tree)))


def _note_renamed(tree: exp.Alter, project: str, catalog: Any) -> None:
    table = tree.find(exp.Table)
    reference = (table.catalog or project, table.db, table.name)
    rename = next((action for action in tree.args["actions"] if isinstance(action, exp.AlterRename)), None)
    if rename is not None:
        renamed = catalog.get_table(*reference)
        catalog.create_table(renamed.model_copy(update={"table_id": rename.this.name}))
        catalog.delete_table(*reference)


def _stated(tree: exp.Expression) -> Mapping[str, Any]:
    stated: dict[str, Any] = {}
    options = stated_options(tree)
    if labels := options.get("labels"):
        stated["labels"] = dict(labels)
    if description := options.get("description"):
        stated["description"] = description
    if cluster := tree.find(exp.ClusterProperty):
        stated["clustering"] = Clustering(fields=tuple(column.name for column in cluster.expressions))
    if tree.find(exp.ExternalProperty):
        stated["table_type"] = "EXTERNAL"
    return stated


def _external_table(sql: str) -> exp.Create | None:
    if "EXTERNAL" not in sql.upper():
        return None
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    return tree if isinstance(tree, exp.Create) and tree.find(exp.ExternalProperty) else None


def _fill(context: Any, reference: str, options: Mapping[str, Any]) -> None:
    if options.get("format") not in FORMATS:
        raise InvalidQueryError(f"This emulator reads external tables only from {' or '.join(FORMATS)}.")
    described = context.engine.execute(f"DESCRIBE {reference}").fetchall()
    types = {name: type_name for name, type_name, *_ in described}
    files = [executor._resolve_uri(uri, context) for uri in options["uris"]]
    typed = ", ".join(f"CAST({_quoted(name)} AS {type_name})" for name, type_name in types.items())
    rows = reader(files, list(types), options["format"], options)
    context.engine.execute(f"INSERT INTO {reference} SELECT {typed} FROM {rows}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
