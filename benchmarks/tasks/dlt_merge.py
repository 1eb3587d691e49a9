"""Merges a month into PostgreSQL with dlt, another loader. Runs in dlt's environment, without this project."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dlt
import duckdb
import psycopg2
import pyarrow as pa
from dlt.destinations import postgres

from benchmarks.tasks.stopwatch import Stopwatch
from benchmarks.tasks.system_cache import read_once

_TABLE: Final = "trips"
_ID: Final = "unique_row_id"
_BATCH_ROWS: Final = 50_000
_TYPES: Final = {"integer": "INTEGER", "decimal": "DOUBLE", "timestamp": "TIMESTAMP", "text": "VARCHAR"}


def load(
    *, path: str, kinds: Mapping[str, str], identity: Sequence[str], rows: int, folder: str, file_format: str
) -> dict[str, Any]:
    """Merge a month's csv.gz into a new table, then drop it: DuckDB reads, dlt gets Arrow batches.

    Args:
        path: The file.
        kinds: The kind of each of its columns.
        identity: The columns whose text makes the id.
        rows: Number of rows in the file.
        folder: Folder for dlt's files.
        file_format: The format that dlt writes before it loads.
    """
    read_once(Path(path))
    url = os.environ["TAXI_POSTGRES_URL"]

    def trips() -> Iterator[pa.RecordBatch]:
        with duckdb.connect() as connection:
            yield from connection.sql(_query(kinds, identity), params={"path": path}).to_arrow_reader(_BATCH_ROWS)

    resource = dlt.resource(
        trips, name=_TABLE, primary_key=_ID, write_disposition={"disposition": "merge", "strategy": "insert-only"}
    )
    _checkpoint(url)
    with tempfile.TemporaryDirectory(dir=folder) as own_folder:
        with Stopwatch() as watch:
            pipeline = dlt.pipeline("month", pipelines_dir=own_folder, destination=postgres(url), dataset_name="dlt")
            pipeline.run(resource, loader_file_format=file_format)
        with pipeline.sql_client() as client:
            ((found,),) = client.execute_sql(f"SELECT count(*) FROM {_TABLE}") or [(0,)]
            client.drop_dataset()
            with client.with_staging_dataset():
                client.drop_dataset()
    if found != rows:
        raise RuntimeError(f"The file has {rows} rows, but {found} are in the table.")
    return {"seconds": watch.seconds, "version": dlt.__version__}


def _checkpoint(url: str) -> None:
    """Make the server write the rest of earlier work."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute("CHECKPOINT")
    connection.close()


def _query(kinds: Mapping[str, str], identity: Sequence[str]) -> str:
    types = ", ".join(f"'{name}': '{_TYPES[kind]}'" for name, kind in kinds.items())
    key = ", ".join(f'"{name}"' for name in identity)
    return (
        f"SELECT md5(concat({key})) AS {_ID}, * "
        f"FROM read_csv($path, header = true, auto_detect = false, columns = {{{types}}})"
    )
