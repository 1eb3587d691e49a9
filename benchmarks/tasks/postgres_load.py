"""Loads a landed month into PostgreSQL as the project does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa

from benchmarks.tasks.effort import Effort
from benchmarks.tasks.files import current_file, landed_file
from benchmarks.tasks.postgres_database import connect, url
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.taxis import get_taxi
from taxi_assets.warehouses.postgres import month_table as measured
from taxi_assets.warehouses.postgres.copying import TripsReader
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse

_PARTS: Final = {"copy_batches": "copy", "_add_held_back": "number", "_index": "index"}
"""Functions that the module of the monthly table calls to fill it, and the names of their seconds in the report."""

_log = logging.getLogger(__name__)


def load(landing: str, schema: str, taxi: str, month: str) -> dict[str, Any]:
    """Load a landed month and merge it into the main table; remove it again after the measurement."""
    known_taxi, known_month = get_taxi(taxi), Month.parse(month)
    landed = landed_file(landing, known_taxi, known_month)
    warehouse = PostgresWarehouse(url=url(), schema_name=schema)
    parts = _timed_parts()
    with connect(schema) as connection, Effort(connection) as effort:
        warehouse.load_month(known_taxi, known_month, current_file(landing, known_taxi, known_month), _log)
        loaded = time.perf_counter()
        merge = warehouse.merge_month(known_taxi, known_month, _log)
        parts["merge"] = time.perf_counter() - loaded
    if merge.inserted != landed.rows:
        raise TaxiAssetsError(
            f"The file has {landed.rows} rows, but {merge.inserted} were inserted into the main table."
        )
    warehouse.remove_month(known_taxi, known_month, _log)
    return {**effort.facts(), "rows": merge.rows, "parts": parts}


def _timed_parts() -> dict[str, float]:
    """Make the parts of a load add their seconds to the mapping that is returned."""
    seconds = dict.fromkeys([*_PARTS.values(), "read"], 0.0)
    for name, part in _PARTS.items():
        setattr(measured, name, _timed(getattr(measured, name), part, seconds))
    read = TripsReader.__iter__

    def timed_read(trips: TripsReader) -> Iterator[pa.RecordBatch]:
        following = _timed(partial(next, read(trips), None), "read", seconds)
        while (batch := following()) is not None:
            yield batch

    setattr(TripsReader, "__iter__", timed_read)  # noqa: B010 - as with the functions above
    return seconds


def _timed(function: Callable[..., Any], part: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(*values: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*values, **named)
        finally:
            seconds[part] += time.perf_counter() - start

    return timed
