"""Reads and writes whole tables, or some months of a table, for assets, through Arrow."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
from google.cloud import bigquery

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.spill import spill_folder
from taxi_assets.taxis import all_taxis, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.warehouses.bigquery.arrow_types import type_name
from taxi_assets.warehouses.bigquery.catalog import find
from taxi_assets.warehouses.bigquery.connection import BigQueryConnection
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.query import run_jobs, wait_until_done
from taxi_assets.warehouses.bigquery.statements import external_asset, external_table, render_statement
from taxi_assets.warehouses.rows import FetchedRows, arrow_stream
from taxi_assets.warehouses.trip_tables import column_names, common_select_list, months_are_needed

if TYPE_CHECKING:
    from google.cloud.bigquery_storage import BigQueryReadClient

_log = logging.getLogger(__name__)

_INCOMING_LASTS: Final = timedelta(days=1)


def tables_to_read(table: str, months: Sequence[Month] | None) -> Sequence[str]:
    """Names of the tables of an asset: one per month for the assets that have a table per month.

    Raises:
        WarehouseError: The asset has a table per month, and no months are given.
    """
    monthly = taxi_of_month_asset(table)
    external = next((taxi for taxi in all_taxis().values() if external_asset(taxi) == table), None)
    if monthly is None and external is None:
        return [table]
    if not months:
        raise months_are_needed(table)
    if monthly is not None:
        return [monthly.month_table(month) for month in months]
    assert external is not None  # noqa: S101
    return [external_table(external, month) for month in months]


def read_rows(
    dataset: BigQueryConnection, table: str, found: Sequence[bigquery.Table], months: Sequence[Month] | None
) -> duckdb.DuckDBPyRelation:
    """A DuckDB relation over those tables, whose rows are fetched when they are needed, and again for each reading.

    Trips look the same as from every warehouse.
    """
    taxi = taxi_of_main_table(table) or taxi_of_month_asset(table)
    days = [month.first_day for month in months] if months and len(found) == 1 and _has_months(found[0]) else None
    connection = duckdb.connect()
    parts = []
    for one in found:
        names = column_names(taxi, DIALECT) if taxi else [field.name for field in one.schema]
        statement = render_statement("read_table", dataset.place, name=one.table_id, columns=names, days=days)
        fields = [field for name in names for field in one.schema if field.name == name]
        rows = connection.from_arrow(_fetched(dataset, table, statement, fields))
        parts.append(rows.select(common_select_list(taxi)) if taxi else rows)
    return reduce(lambda left, right: left.union(right), parts)


def _fetched(
    dataset: BigQueryConnection, table: str, statement: str, fields: Sequence[bigquery.SchemaField]
) -> FetchedRows:
    """The rows of a statement; each reading is a job of its own."""
    columns = pa.schema([pa.field(field.name, _ARROW_TYPES.get(field.field_type, pa.string())) for field in fields])

    def batches() -> Iterator[pa.RecordBatch]:
        with dataset.connection(f"read {table}") as client, dataset.get_read_client() as reader:
            for batch in _arrow_batches(dataset.run_sql(client, statement), reader):
                yield batch.cast(columns)

    return FetchedRows(columns, batches)


def _arrow_batches(job: bigquery.QueryJob, reader: BigQueryReadClient | None) -> Iterator[pa.RecordBatch]:
    """The rows of a job by the Storage Read API, or as JSON where that API is not there or may not be used."""
    batches = iter(job.result().to_arrow_iterable(bqstorage_client=reader))
    try:
        # The API is asked when the first batch is.
        first = list(islice(batches, 1))
    except Forbidden:
        if reader is None:
            raise
        _log.info(
            "Reading rows as JSON, which is slower: enable the API bigquerystorage.googleapis.com, and grant the "
            "account the role BigQuery Read Session User."
        )
        first, batches = [], iter(job.result().to_arrow_iterable())
    yield from chain(first, batches)


_ARROW_TYPES: Final = {
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "NUMERIC": pa.decimal128(38, 9),
    "STRING": pa.string(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "BYTES": pa.binary(),
}
"""Arrow's types for BigQuery's, by both names that BigQuery uses for a type."""


def _has_months(table: bigquery.Table) -> bool:
    return any(field.name == "file_month" for field in table.schema)


def write_rows(
    dataset: BigQueryConnection,
    client: bigquery.Client,
    table: str,
    rows: Any,
    months: Sequence[Month] | None,
    *,
    description: str,
) -> int:
    """Replace a table, or those months of it, with the rows in one statement, and return their number.

    The rows go through a file on this machine, in bounded memory.

    Raises:
        WarehouseError: The rows are not a table, their months are not known, or BigQuery has no type for a column or
            can't hold one of its values.
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused the rows.
    """
    stream = _as_declared(table, arrow_stream(table, rows, months))
    # Each writer has an incoming table of its own, which expires if the writer is killed.
    incoming = f"{table}_incoming_{uuid.uuid4().hex[:8]}"
    with spill_folder() as folder:
        path = folder / "rows.parquet"
        with pq.ParquetWriter(path, stream.schema) as writer:
            for batch in stream:
                writer.write_batch(batch)
        try:
            count = _load(dataset, client, incoming, path, stream.schema)
            _put(dataset, client, table, incoming, names=stream.schema.names, months=months, description=description)
        finally:
            client.delete_table(f"{dataset.place}.{incoming}", not_found_ok=True)
    return count


def _load(dataset: BigQueryConnection, client: bigquery.Client, incoming: str, path: Path, schema: pa.Schema) -> int:
    """Load a Parquet file into a table of its own, and return the number of rows."""
    made = bigquery.Table(f"{dataset.place}.{incoming}", schema=_fields(schema))
    made.description = f"{COMMENT_PREFIX}Rows that are about to be written to a table."
    made.expires = datetime.now(tz=UTC) + _INCOMING_LASTS
    # The table is there already if the answer to a first request was lost.
    client.create_table(made, exists_ok=True)
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        # A second job replaces the rows of the first.
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        schema=_fields(schema),
        labels=dict(dataset.run_labels()),
    )

    def load() -> bigquery.LoadJob:
        job_id = f"taxi_assets_{uuid.uuid4()}"
        try:
            with path.open("rb") as stream:
                job = client.load_table_from_file(stream, made.reference, job_config=config, job_id=job_id)
        except GoogleAPICallError:
            # If the answer to a first request was lost, the job is there, and the second request was refused.
            with suppress(NotFound):
                job = cast("bigquery.LoadJob", client.get_job(job_id))
                wait_until_done(job)
                return job
            raise
        wait_until_done(job)
        return job

    return int(run_jobs(load).output_rows or 0)


def _put(
    dataset: BigQueryConnection,
    client: bigquery.Client,
    table: str,
    incoming: str,
    *,
    names: Sequence[str],
    months: Sequence[Month] | None,
    description: str,
) -> None:
    """Replace the table, or those months of it, with the rows that were loaded, in one statement."""
    values: dict[str, Any] = {"name": table, "incoming": incoming, "columns": names}
    if months is None or find(client, dataset.place, table) is None:
        dataset.run(client, "replace_table", **values, description=description)
    else:
        dataset.run(client, "replace_months", **values, days=[month.first_day for month in months])


def _as_declared(table: str, stream: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The rows with the types that their columns get in BigQuery, which does not convert types as it loads a file.

    pandas measures times in nanoseconds and gives a column without values no type at all, for example.
    """
    declared = pa.schema([pa.field(field.name, _ARROW_TYPES[_type_name(field)]) for field in stream.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            yield pa.RecordBatch.from_arrays(
                [_cast(table, *column) for column in zip(batch.columns, declared, strict=True)], schema=declared
            )

    return pa.RecordBatchReader.from_batches(declared, batches())


def _cast(table: str, values: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise WarehouseError(
            f"The column {field.name} of the rows for {table} has a value that BigQuery can't hold unchanged "
            f"({error}): round or convert the column first; nothing was written."
        ) from error


def _fields(schema: pa.Schema) -> list[bigquery.SchemaField]:
    return [bigquery.SchemaField(field.name, _type_name(field)) for field in schema]


def _type_name(field: pa.Field) -> str:
    """BigQuery's type for a column of Arrow's.

    Raises:
        WarehouseError: There is no such type.
    """
    name = type_name(field.type, null="STRING", timestamp="DATETIME")
    if name is not None:
        return name
    raise WarehouseError(
        f"The column {field.name} can't be stored in BigQuery as {field.type}: cast it to a simple type."
    )
