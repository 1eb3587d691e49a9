"""Malformed Parquet: each is loaded as a month of the feed, and what came of it judged by two other readers."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.families.file_loads import FileLoads
from chaos.families.judging import FileCase
from chaos.families.months import SIZES, TAXIS, sound_csv
from chaos.faults.parquet_mutations import ParquetFault, mutated_parquet
from chaos.lanes import Lane
from chaos.outcomes import Case
from chaos.product.processes import CallFailedError, ProcessCrashedError, ProcessHungError, Worker
from chaos.product.reading import read_table
from chaos.strict.columns import StrictTaxi, strict_taxi
from chaos.strict.csv_files import Reading, read_csv
from chaos.strict.parquet_files import damaged, read_parquet
from chaos.strict.parquet_tables import StrictTable, same_values

MONTH = "2019-01"
_READ_SECONDS = 60.0


class MalformedParquet(FileLoads):
    """Malformed Parquet files."""

    name = "parquet"
    title = "Malformed Parquet files"
    each_postgres = 3
    each_bigquery = 60

    def __init__(self, available: Sequence[str], *, limit_seconds: float = 120.0) -> None:
        super().__init__(available, limit_seconds=limit_seconds)
        self._folder = Path(tempfile.mkdtemp(prefix="chaos_readers_"))
        self._own = threading.local()

    def make(self, number: int, seed: str) -> tuple[Case, FileCase, bytes]:
        """A malformed file and what the strict readers find in it."""
        choice = random.Random(f"{seed}/{self.name}/{number}")
        taxi = strict_taxi(choice.choice(TAXIS))
        rows = read_csv(sound_csv(taxi.name, choice.choice(SIZES)), taxi).rows or ()
        fault = mutated_parquet(rows, taxi, choice)
        case = Case(self.name, number, fault.kind, " and ".join(self.warehouses(number)))
        name = f"{taxi.name}_tripdata_{MONTH}.parquet"
        return case, FileCase(taxi, MONTH, name, self._reading(fault, taxi), sound=fault.sound_rows), fault.data

    def put(self, lane: Lane, case: FileCase, data: bytes) -> Path:
        """Put the file where the feed has it."""
        path = lane.source / case.file_name
        path.write_bytes(data)
        return path

    def source(self, lane: Lane) -> Mapping[str, Any]:
        """A feed in a folder."""
        return {"address": "feed", "feed": str(lane.source)}

    def _reading(self, fault: ParquetFault, taxi: StrictTaxi) -> Reading:
        """What the readers agree on."""
        by_arrow = self._read("arrow", fault.data)
        if isinstance(by_arrow, str):
            return damaged(by_arrow)
        reading = read_parquet(by_arrow, taxi)
        if not fault.is_damaged or reading.must_refuse:
            return reading
        by_polars = self._read("polars", fault.data)
        if isinstance(by_polars, str):
            # What only one of them refuses may be loaded as the other reads it.
            return Reading(reading.rows, [*reading.whole, f"damaged: {by_polars}"], reading.places)
        if not same_values(by_arrow, by_polars):
            return damaged("two readers differ")
        return reading

    def _read(self, library: str, data: bytes) -> StrictTable | str:
        path = self._folder / f"{threading.get_ident()}.parquet"
        path.write_bytes(data)
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = Worker(self._folder, f"reader-{threading.get_ident()}")
        try:
            found: StrictTable | str = worker.call(read_table, library, path, seconds=_READ_SECONDS)
        except (ProcessCrashedError, ProcessHungError, CallFailedError) as error:
            worker.end()
            self._own.worker = None
            return f"{library}: {error}"
        return found
