"""Streams rows from a raw file to PostgreSQL: DuckDB reads them, pgpq encodes them, and COPY sends them.

Reading, encoding and the server's work overlap, with a few batches in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString

import duckdb
import pgpq
import psycopg
import pyarrow as pa
from psycopg import sql

from taxi_assets.errors import WarehouseError
from taxi_assets.interruptions import interruptions
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.taxis import Taxi
from taxi_assets.trips.diagnosis import explain_refusal
from taxi_assets.trips.reading import require_all_rows, require_strict_rows, select_statement
from taxi_assets.warehouses.postgres.seen_ids import ID_TYPE, SeenIds, as_ids

_BATCH_ROWS: Final = 20_000


class TripsReader:
    """The trips of a landed file as Arrow batches, which can be read once.

    Trips whose ids may be repeats of earlier ones are held back in a file until all others were read.

    Attributes:
        schema: The columns: ``unique_row_id`` (sixteen bytes), then the taxi's own, with names in lower case.
        held_rows: How many trips were held back so far.
    """

    def __init__(self, source: duckdb.DuckDBPyConnection, taxi: Taxi, landed: LandedFile, *, spill: Path) -> None:
        """Prepare to read; ``spill`` is a folder for the trips that are held back."""
        require_strict_rows(landed, taxi)
        self._taxi, self._landed = taxi, landed
        statement, values = select_statement(taxi, landed)
        with self._translated_errors():
            self._reader = source.sql(statement, params=values).to_arrow_reader(_BATCH_ROWS)
        columns = self._reader.schema
        self.schema = pa.schema(
            [(name.lower(), type_) for name, type_ in zip(columns.names, [ID_TYPE, *columns.types[1:]], strict=True)]
        )
        self._held = spill / "held_back.arrow"
        self.held_rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the file whose ids were certainly not read before, and hold the others back.

        Raises:
            UnexpectedContentError: A row has too few or too many fields, or a value is not of its column's kind.
        """
        rows = 0
        seen = SeenIds(self._landed.rows)
        with (
            self._translated_errors(),
            pa.OSFile(str(self._held), "wb") as file,
            pa.ipc.new_stream(file, self.schema) as held,
        ):
            for read in self._reader:
                numbers, *values = read.columns
                # Arrow reads DuckDB's sixteen bytes as a number.
                ids = as_ids(len(numbers), numbers.buffers()[1], offset=numbers.offset)
                batch = pa.RecordBatch.from_arrays([ids, *values], schema=self.schema)
                rows += len(ids)
                is_held = seen.add(ids)
                if is_held.any():
                    held.write_batch(batch.filter(pa.array(is_held)))
                    self.held_rows += int(is_held.sum())
                    batch = batch.filter(pa.array(~is_held))
                yield batch
        require_all_rows(self._landed, rows)

    def held_back(self) -> Iterator[pa.RecordBatch]:
        """Yield the trips that were held back. Call it after all others have been read."""
        with pa.OSFile(str(self._held), "rb") as file, pa.ipc.open_stream(file) as batches:
            yield from batches

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate an error of DuckDB into a sentence about the file, if the file is the cause.

        Raises:
            UnexpectedContentError: A row or value of the file is the cause.
            WarehouseError: The cause is not in the file.
        """
        try:
            with interruptions():
                yield
        except (duckdb.Error, OSError) as error:  # Arrow's readers pass on an error of DuckDB as an OSError
            translated = explain_refusal(self._landed, self._taxi, error)
            if translated is not error:
                raise translated from error
            # The other lines are DuckDB's options and the statement.
            cause = str(error).strip().partition("\n")[0]
            raise WarehouseError(
                f"DuckDB could not read {self._landed.path.name} on its way to PostgreSQL ({cause}): "
                "make room in the folder for temporary files if it was full, then run again."
            ) from error


def copy_batches(
    connection: psycopg.Connection[Any],
    table: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    options: LiteralString = "FORMAT binary",
) -> int:
    """Send Arrow batches into a table by binary COPY, by the names of their columns, and return the number of rows.

    Raises:
        psycopg.Error: The server refused the rows, or the connection broke.
        WarehouseError: The number of rows that arrived is not the number that was sent.
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
                f"{cursor.rowcount:,} of {sent:,} rows arrived in {table}: none of them was kept; run again, and "
                "report it if it happens again."
            )
        return sent


def read_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same batches; while one is in use, the next is read in another thread."""
    remaining = iter(batches)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        upcoming = reader.submit(next, remaining, None)
        while (batch := upcoming.result()) is not None:
            upcoming = reader.submit(next, remaining, None)
            yield batch
