"""Starts local-bigquery, and adds the features that it is missing and this project needs.

* Projects are kept in plain DuckDB files. Unchanged, they are in DuckLake, an extension that would be downloaded.
* An external table over CSV or Parquet is a view that reads the objects at each query, as on the real service.
  Unchanged, local-bigquery creates an empty table.
* A job that created a table from a query names that table, as on the real service; dbt asks for it.
* A copied table has the description, the labels and the columns of its source.
* A table that a statement creates appears with its description and labels, as on the real service. Unchanged, it can be
  read for a moment without them.
* An option of a table can be set to NULL, which removes it.
* Parquet files must have the types that are declared. Unchanged, local-bigquery converts them.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
import sqlglot
import uvicorn
from external_files import FORMATS, reader, stated_options
from lifeline import end_with_parent, report
from local_bigquery.catalog import names, options, tables
from local_bigquery.engine import database, types
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError, already_exists
from local_bigquery.jobs import load, query
from local_bigquery.jobs.storage import literal, paths
from local_bigquery.models import JobStatistics2, Table
from local_bigquery.settings import settings
from local_bigquery.sql import native
from local_bigquery.sql.dialect import FUNCTIONS, MACRO, BigQueryDialect
from local_bigquery.sql.translate import Context
from parquet_types import mismatch
from sqlglot import exp

_CSV_OPTIONS = {
    "skip_leading_rows": "skipLeadingRows",
    "field_delimiter": "fieldDelimiter",
    "quote": "quote",
    "allow_jagged_rows": "allowJaggedRows",
    "allow_quoted_newlines": "allowQuotedNewlines",
}


def main() -> None:
    """Serve until the parent closes the input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the databases")
    parser.add_argument("--buckets", type=Path, required=True, help="folder with a folder for each bucket")
    parser.add_argument("--project", required=True, help="project that exists from the start")
    arguments = parser.parse_args()
    end_with_parent(arguments.data)
    settings.data_dir = arguments.data
    settings.gcs_local_root = arguments.buckets
    settings.default_project_id = arguments.project

    keep_projects_in_plain_files()
    make_external_tables_read_their_objects()
    let_jobs_name_the_table_they_made()
    let_copies_be_described()
    let_tables_appear_as_a_whole()
    let_options_be_null()
    refuse_other_types_of_parquet()
    from local_bigquery.app import app  # noqa: PLC0415 - imported after the functions that it uses are replaced
    from local_bigquery.grpc import server as grpc_server  # noqa: PLC0415 - the same

    with socket.create_server(("127.0.0.1", 0)) as listener:
        database.connection()
        _, grpc_port = grpc_server.start("127.0.0.1", 0)
        report(port=listener.getsockname()[1], grpc_port=grpc_port, emulator="local-bigquery")
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def keep_projects_in_plain_files() -> None:
    """Replace how local-bigquery opens its catalogue and its projects."""
    database._connect = _connect
    database._attach = _attach
    database.projects = _projects


@cache
def _connect() -> duckdb.DuckDBPyConnection:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute(f"ATTACH {literal(str(settings.data_dir / 'emulator.duckdb'))} AS emulator")
    connection.execute(database.EMULATOR_SCHEMA)
    connection.execute("ATTACH ':memory:' AS bq")
    native.register(connection)
    for path in FUNCTIONS:
        try:
            connection.execute(MACRO.sub(r"CREATE MACRO bq.main.\1", path.read_text()))
        except duckdb.Error:
            # Geography needs an extension that would be downloaded.
            if path.stem != "geography":
                raise
    _attach(connection, settings.default_project_id)
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(settings.default_project_id, settings.default_dataset_id)}")
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, project: str) -> None:
    file = settings.data_dir / f"{project}.duckdb"
    connection.execute(f"ATTACH IF NOT EXISTS {literal(str(file))} AS {quote(project)}")
    database._attached.add(project)


def _projects() -> Sequence[str]:
    return sorted(database._attached)


def make_external_tables_read_their_objects() -> None:
    """Replace how local-bigquery creates an external table, by statement and through its API.

    A CREATE TABLE AS SELECT that fails leaves no table behind, as in BigQuery.
    """
    tables.STORED_TYPES = (*tables.STORED_TYPES, "EXTERNAL")
    run, create = query._run, tables.create

    def run_statement(
        cursor: Any, tree: exp.Expression, context: Context, destination: Any, config: Any, *flags: bool
    ) -> JobStatistics2:
        dry_run = flags[0]
        if isinstance(tree, exp.Create) and tree.find(exp.ExternalProperty):
            return _create_by_statement(cursor, tree, context, dry_run=dry_run)
        if isinstance(tree, exp.Command) and _dropped_external_table(tree) is not None:
            tree = _dropped_external_table(tree)
        if isinstance(tree, exp.Drop) and tree.kind == "TABLE":
            reference = names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)
            if tables.exists(*reference) and tables.load(*reference).type == "EXTERNAL" and not dry_run:
                tables.delete(*reference)
                return query._ddl(tree, context).replace(statementType="DROP_EXTERNAL_TABLE")
        try:
            statistics: JobStatistics2 = run(cursor, tree, context, destination, config, *flags)
        except Exception:
            if isinstance(tree, exp.Create) and tree.kind == "TABLE" and tree.expression and not dry_run:
                _drop_what_was_begun(tree, context)
            raise
        return statistics

    def create_by_interface(project: str, dataset: str, body: Table, translate: Any) -> Table:
        if not body.externalDataConfiguration:
            return create(project, dataset, body, translate)
        reference = (project, dataset, body.tableReference.tableId)
        if tables.exists(*reference):
            raise already_exists("Table", names.label(*reference))
        configuration = body.externalDataConfiguration.dump()
        fields = tables.fields(body) or list(body.externalDataConfiguration.schema_.fields)
        with database.cursor() as cursor:
            _create(cursor, reference, configuration, body.replace(schema={"fields": [f.dump() for f in fields]}))
        return tables.get(*reference)

    query._run = run_statement
    tables.create = create_by_interface


def let_jobs_name_the_table_they_made() -> None:
    """Give the job of a CREATE TABLE AS SELECT its destination. The table's rows do not become the job's result."""
    from local_bigquery.api import jobs  # noqa: PLC0415 - imported after the functions that it uses are replaced

    execute, results = query.execute, jobs.results

    def execute_statement(*arguments: Any, **options: Any) -> Any:
        statistics, children, destination = execute(*arguments, **options)
        if statistics.statementType == "CREATE_TABLE_AS_SELECT":
            destination = statistics.ddlTargetTable
        return statistics, children, destination

    def results_of_job(job: Any, *arguments: Any) -> Any:
        statistics = job.statistics and job.statistics.query
        if statistics and statistics.statementType == "CREATE_TABLE_AS_SELECT":
            configuration = job.configuration
            without = configuration.query.without("destinationTable")
            job = job.replace(configuration=configuration.replace(query=without))
        return results(job, *arguments)

    query.execute = execute_statement
    jobs.results = results_of_job


def let_copies_be_described() -> None:
    """Replace how local-bigquery runs a CREATE TABLE COPY, so that it copies more than the rows."""
    run = query._run

    def run_statement(cursor: Any, tree: exp.Expression, context: Context, *more: Any) -> JobStatistics2:
        source, target = _copied(tree, context)
        described = tables.load(*source) if source and tables.exists(*source) else None
        statistics: JobStatistics2 = run(cursor, tree, context, *more)
        if described is not None and tables.exists(*target):
            identity = tables.defaults(*target)
            tables.record(*target, described.merged(identity))
        return statistics

    query._run = run_statement


def let_tables_appear_as_a_whole() -> None:
    """Let nobody look a table up while a statement creates tables. It holds no lock itself while it waits."""
    run, get, creating = query._run, tables.get, RLock()

    def run_statement(cursor: Any, tree: exp.Expression, *more: Any) -> JobStatistics2:
        with creating if isinstance(tree, exp.Create) else nullcontext():
            statistics: JobStatistics2 = run(cursor, tree, *more)
        return statistics

    def get_as_a_whole(*arguments: Any, **options: Any) -> Table:
        with creating:
            found: Table = get(*arguments, **options)
        return found

    query._run = run_statement
    tables.get = get_as_a_whole


def _copied(tree: exp.Expression, context: Context) -> tuple[tuple[str, str, str] | None, tuple[str, str, str]]:
    """The source and the target of a CREATE TABLE COPY; no source for other statements."""
    clone = tree.args.get("clone") if isinstance(tree, exp.Create) else None
    if clone is None or not clone.args.get("copy"):
        return None, ("", "", "")
    source = names.reference(clone.this, context.project_id, context.dataset_id)
    return source, names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)


def let_options_be_null() -> None:
    """Replace how local-bigquery reads the values of a table's options."""
    for name, option in options.TABLE_OPTIONS.items():
        options.TABLE_OPTIONS[name] = replace(option, parse=partial(_parse_unless_null, option.parse))


def _parse_unless_null(parse: Callable[..., Any], node: exp.Expression, evaluate: Any) -> Any:
    return None if isinstance(node, exp.Null) else parse(node, evaluate)


def refuse_other_types_of_parquet() -> None:
    """Replace how local-bigquery reads the file of a load job."""
    reader_of = load._reader

    def reader_of_declared(cursor: Any, files: str, config: Any, fields: Sequence[Any]) -> str:
        found: str = reader_of(cursor, files, config, fields)
        if config.sourceFormat == "PARQUET":
            _require_types(cursor, found, fields)
        return found

    load._reader = reader_of_declared


def _require_types(cursor: Any, rows: str, fields: Sequence[Any]) -> None:
    problem = mismatch(cursor, rows, {field.name: field.type or "STRING" for field in fields})
    if problem is not None:
        raise BigQueryError("invalid", problem)


def _drop_what_was_begun(tree: exp.Create, context: Context) -> None:
    reference = names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)
    if tables.exists(*reference):
        tables.delete(*reference)


def _create_by_statement(cursor: Any, tree: exp.Create, context: Context, *, dry_run: bool) -> JobStatistics2:
    statistics = query._ddl(tree, context).replace(statementType="CREATE_EXTERNAL_TABLE")
    if dry_run or statistics.ddlOperationPerformed == "SKIP":
        return statistics
    reference = names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)
    if tables.exists(*reference):
        if not tree.args.get("replace"):
            raise already_exists("Table", names.label(*reference))
        tables.delete(*reference)
    stated = stated_options(tree)
    fields = [
        {"name": column.name, "type": column.args["kind"].sql(dialect=BigQueryDialect)}
        for column in tree.this.expressions
    ]
    configuration = {
        "sourceFormat": stated.get("format", ""),
        "sourceUris": stated.get("uris", []),
        "csvOptions": {key: stated[name] for name, key in _CSV_OPTIONS.items() if name in stated},
    }
    # Descriptions, labels and other options are read from the statement as local-bigquery does for every table.
    described = query.catalog_ddl._table(tree, reference, query._evaluator(cursor))
    _create(cursor, reference, configuration, Table.model_validate(described | {"schema": {"fields": fields}}))
    return statistics


def _create(cursor: Any, reference: tuple[str, str, str], configuration: Mapping[str, Any], body: Table) -> None:
    if configuration["sourceFormat"] not in FORMATS:
        known = " or ".join(FORMATS)
        raise BigQueryError("invalid", f"This emulator reads external tables only from {known}, not {configuration}.")
    rows = _files(cursor, configuration, [field.name for field in tables.fields(body)])
    if configuration["sourceFormat"] == "PARQUET":
        # The real service looks at the types when the table is queried.
        _require_types(cursor, rows, tables.fields(body))
    columns = ", ".join(
        f"CAST({quote(field.name)} AS {types.duckdb_type(field)}) AS {quote(field.name)}"
        for field in tables.fields(body)
    )
    cursor.execute(f"CREATE VIEW {tables.name(*reference)} AS SELECT {columns} FROM {rows}")
    kept = {"type": "EXTERNAL", "externalDataConfiguration": dict(configuration)}
    tables.record(*reference, tables.defaults(*reference).merged(body).merged(Table.model_validate(kept)))


def _files(cursor: Any, configuration: Mapping[str, Any], columns: Sequence[str]) -> str:
    files = [path for uri in configuration["sourceUris"] for path in paths(cursor, uri)]
    csv = configuration.get("csvOptions") or {}
    options = {name: csv[key] for name, key in _CSV_OPTIONS.items() if key in csv}
    return reader(files, columns, configuration["sourceFormat"], options)


def _dropped_external_table(tree: exp.Command) -> exp.Expression | None:
    """Return a ``DROP EXTERNAL TABLE``, which the parser leaves as text, as a ``DROP TABLE``; None for others."""
    words = tree.sql(dialect=BigQueryDialect).split(maxsplit=3)
    if [word.upper() for word in words[:3]] != ["DROP", "EXTERNAL", "TABLE"]:
        return None
    return sqlglot.parse_one(f"DROP TABLE {words[3]}", dialect=BigQueryDialect)


if __name__ == "__main__":
    main()
