"""Rows on their way from a raw file to PostgreSQL: read by DuckDB, encoded by pgpq, sent by COPY.

All of it streams: reading, encoding and the server's work overlap, with a few batches in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import duckdb
import pgpq
import psycopg
import pyarrow as pa
from psycopg import sql

from taxi_assets.errors import WarehouseError
from taxi_assets.source.files import LandedFile
from taxi_assets.taxis import Taxi
from taxi_assets.trips.diagnosis import explain_refusal
from taxi_assets.trips.reading import require_all_rows, require_even_rows, select_statement
from taxi_assets.warehouses.postgres.noted_ids import ID_TYPE, NotedIds, as_ids

_BATCH_ROWS: Final = 20_000


class TripsReader:
    """The trips of a landed file as Arrow batches, which can be read once.

    Attributes:
        schema: The columns: ``unique_row_id``, sixteen bytes, and the taxi's own, with names folded to lower case.
    """

    def __init__(self, source: duckdb.DuckDBPyConnection, taxi: Taxi, landed: LandedFile) -> None:
        require_even_rows(landed, taxi)
        self._taxi, self._landed = taxi, landed
        statement, values = select_statement(taxi, landed)
        with self._explained():
            self._reader = source.sql(statement, params=values).to_arrow_reader(_BATCH_ROWS)
        columns = self._reader.schema
        self.schema = pa.schema(
            [(name.lower(), type_) for name, type_ in zip(columns.names, [ID_TYPE, *columns.types[1:]], strict=True)]
        )
        self._ids = NotedIds(source.cursor())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield every row of the file, and note its id.

        Raises:
            UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
        """
        rows = 0
        with self._explained():
            for batch in self._reader:
                numbers, *values = batch.columns
                # Arrow takes DuckDB's sixteen bytes for a number.
                ids = as_ids(len(numbers), numbers.buffers()[1], offset=numbers.offset)
                self._ids.note(ids)
                rows += len(ids)
                yield pa.RecordBatch.from_arrays([ids, *values], schema=self.schema)
        require_all_rows(self._landed, rows)

    def repeated_ids(self) -> pa.Array:
        """The ids that more than one of the trips has, sixteen bytes each, once all have been read."""
        return self._ids.repeated()

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
            translated_errors = explain_refusal(self._landed, self._taxi, error)
            if translated_errors is not error:
                raise translated_errors from error
            # What follows are DuckDB's options and the statement.
            cause = str(error).strip().partition("\n")[0]
            raise WarehouseError(
                f"DuckDB could not read {self._landed.path.name} on its way to PostgreSQL ({cause}): "
                "make room in the folder for temporary files if that was full, then run again."
            ) from error


def copy_batches(
    connection: psycopg.Connection[Any],
    table: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    options: LiteralString = "FORMAT binary",
) -> int:
    """Send Arrow batches by binary COPY into a table, by the names of their columns, and return how many rows came.

    Raises:
        psycopg.Error: The server refused, or the connection broke.
        WarehouseError: Another number of rows arrived than was sent.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, schema.names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (" + options + ")").format(sql.Identifier(table), names)
    encoder = pgpq.ArrowToPostgresBinaryEncoder(schema)
    sent = 0
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write(encoder.write_header())
            for batch in read_ahead(batches):
                copy.write(encoder.write_batch(batch))
                sent += batch.num_rows
            copy.write(encoder.finish())
        if cursor.rowcount != sent:
            raise WarehouseError(
                f"{cursor.rowcount:,} of {sent:,} rows arrived in {table}: nothing of them was kept, so run again, and "
                "report it if it stays so."
            )
        return sent


def read_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, each read in another thread while the one before is worked on."""
    remaining = iter(batches)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        coming = reader.submit(next, remaining, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, remaining, None)
            yield batch
