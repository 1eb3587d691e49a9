"""Rows on their way from a raw file to PostgreSQL: read by DuckDB, encoded by pgpq, sent by COPY.

All of it streams. The server's work, the encoding and the reading overlap, over as many connections as keep the
machine busy, and no more than a batch per connection is in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import pgpq
import psycopg
import pyarrow as pa
from psycopg import sql

from taxi_assets.errors import WarehouseError
from taxi_assets.source.files import LandedFile
from taxi_assets.taxis import Taxi
from taxi_assets.trips.diagnosis import explain_refusal
from taxi_assets.trips.reading import refuse_missing_rows, refuse_uneven_rows, select_statement

Connection = psycopg.Connection[Any]

_CONNECTIONS: Final = 2
_BATCH_ROWS: Final = 20_000
_ID_BYTES: Final = 16


class TripsReader:
    """The trips of a landed file as Arrow batches, which several threads may take from.

    Their columns are ``unique_row_id``, sixteen bytes, and the taxi's own, with names folded to lower case. Ids that
    occur more than once are known at the end.
    """

    def __init__(self, source: duckdb.DuckDBPyConnection, taxi: Taxi, landed: LandedFile) -> None:
        refuse_uneven_rows(landed, taxi)
        self._taxi, self._landed = taxi, landed
        statement, values = select_statement(taxi, landed)
        with self._explained():
            self._reader = source.sql(statement, params=values).to_arrow_reader(_BATCH_ROWS)
        self._ids = source.cursor()
        self._ids.execute('CREATE TABLE "ids" ("unique_row_id" HUGEINT)')
        self._turn = threading.Lock()
        self._is_stopped = False
        self.rows = 0

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [name.lower() for name in self._reader.schema.names]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        types = [pa.binary(_ID_BYTES), *self._reader.schema.types[1:]]
        return pa.schema(list(zip(self.columns, types, strict=True)))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Take batches until there are none, or until another thread has failed.

        Raises:
            UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
        """
        while (batch := self._next()) is not None:
            ids, *values = batch.columns
            yield pa.RecordBatch.from_arrays([_as_bytes(ids), *values], schema=self.schema)

    def stop(self) -> None:
        """Let every thread find that there are no more batches."""
        self._is_stopped = True

    def repeated_ids(self) -> pa.Array:
        """The ids that more than one trip has, sixteen bytes each."""
        query = 'SELECT "unique_row_id" FROM "ids" GROUP BY "unique_row_id" HAVING count(*) > 1'
        return _as_bytes(self._ids.sql(query).to_arrow_table()["unique_row_id"].combine_chunks())

    def _next(self) -> pa.RecordBatch | None:
        with self._turn:
            if self._is_stopped:
                return None
            with self._explained():
                batch = next(self._reader, None)
            if batch is None:
                return None
            self._ids.from_arrow(pa.table([batch["unique_row_id"]], names=["id"])).insert_into("ids")
            self.rows += batch.num_rows
            return batch

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what is wrong with the file where it is at fault.

        Raises:
            UnexpectedContentError: The file is at fault.
            WarehouseError: It is not.
        """
        try:
            yield
        except (duckdb.Error, OSError) as error:  # Arrow's readers pass on an error of DuckDB as an OSError
            explained = explain_refusal(self._landed, self._taxi, error)
            if explained is not error:
                raise explained from error
            cause = " ".join(str(error).split())
            raise WarehouseError(
                f"DuckDB could not read {self._landed.path.name} on its way to PostgreSQL ({cause}): "
                "make room in the folder for temporary files if that was full, then run again."
            ) from error


def copy_trips(trips: TripsReader, landed: LandedFile, *, conninfo: str, schema: str, table: str) -> int:
    """Copy all trips into a table that is there and has defaults for the other columns, and return their number.

    Raises:
        psycopg.Error: The server refused, or a connection broke; some rows may be there.
        UnexpectedContentError: The file is at fault; some rows may be there.
        WarehouseError: Another number of rows arrived than was sent.
    """
    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="copy") as pool:
        parts = [pool.submit(_copy_part, trips, conninfo, schema, table) for _ in range(_CONNECTIONS)]
        copied = sum(part.result() for part in parts)
    refuse_missing_rows(landed, trips.rows)
    if copied != trips.rows:
        raise WarehouseError(
            f"{copied:,} of {trips.rows:,} rows arrived in {table}: nothing of them was kept, so run again, and report "
            "it if it stays so."
        )
    return copied


def copy_batches(
    connection: Connection, target: sql.Composable, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> int:
    """Send Arrow batches by binary COPY into a table, by the names of their columns, and return how many rows came.

    Raises:
        psycopg.Error: The server refused, or the connection broke.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, schema.names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(target, names)
    encoder = pgpq.ArrowToPostgresBinaryEncoder(schema)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())
        return cursor.rowcount


def _copy_part(trips: TripsReader, conninfo: str, schema: str, table: str) -> int:
    try:
        with psycopg.connect(conninfo) as connection:
            return copy_batches(connection, sql.Identifier(schema, table), trips.schema, iter(trips))
    except BaseException:
        trips.stop()
        raise


def _as_bytes(numbers: pa.Array) -> pa.Array:
    """The same sixteen bytes each, which Arrow takes for a number, as bytes."""
    _, data = numbers.buffers()
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(_ID_BYTES), len(numbers), [None, data], offset=numbers.offset)
