"""Records the ids of trips while they are streamed, to find the repeated ones at the end."""

from __future__ import annotations

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

ID_TYPE: Final = pa.binary(16)
_NOTED_AT_ONCE: Final = 200_000


class NotedIds:
    """Ids of sixteen bytes, stored as two numbers each in a DuckDB table, within DuckDB's memory limit.

    Comparing the first number of each id is enough to find the few that may be repeated.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._waiting: list[pa.FixedSizeBinaryArray] = []
        connection.execute('CREATE TABLE "noted_ids" ("high" BIGINT, "low" BIGINT)')

    def note(self, ids: pa.FixedSizeBinaryArray) -> None:
        """Add the ids of a batch."""
        self._waiting.append(ids)
        # Each statement costs some milliseconds, however few ids it adds.
        if sum(map(len, self._waiting)) >= _NOTED_AT_ONCE:
            self._write()

    def repeated(self) -> pa.FixedSizeBinaryArray:
        """Every id that was noted more than once."""
        self._write()
        pairs = self._connection.sql(
            """
            SELECT "high", "low"
            FROM "noted_ids"
            WHERE "high" IN (SELECT "high" FROM "noted_ids" GROUP BY "high" HAVING count(*) > 1)
            GROUP BY "high", "low"
            HAVING count(*) > 1
            """
        ).to_arrow_table()
        both = np.column_stack([pairs["high"].to_numpy(), pairs["low"].to_numpy()]).astype(np.int64)
        return as_ids(len(both), pa.py_buffer(both.tobytes()))

    def _write(self) -> None:
        if self._waiting:
            both = np.concatenate([_as_numbers(ids) for ids in self._waiting])
            pairs = pa.table({"high": both[:, 0].copy(), "low": both[:, 1].copy()})
            self._connection.from_arrow(pairs).insert_into("noted_ids")
            self._waiting.clear()


def as_ids(count: int, data: pa.Buffer, *, offset: int = 0) -> pa.FixedSizeBinaryArray:
    """An array of ``count`` ids of sixteen bytes each, starting at the id ``offset`` of a buffer."""
    return pa.FixedSizeBinaryArray.from_buffers(ID_TYPE, count, [None, data], offset=offset)


def _as_numbers(ids: pa.FixedSizeBinaryArray) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    numbers = np.frombuffer(ids.buffers()[1], dtype=np.int64).reshape(-1, 2)
    return numbers[ids.offset : ids.offset + len(ids)]
