"""Malformed CSVs: each is loaded as a month's file, and what came of it judged by a strict reader."""

from __future__ import annotations

import random
from pathlib import Path

from chaos.families.file_loads import FileLoads
from chaos.families.judging import FileCase
from chaos.families.months import MONTH, SIZES, TAXIS, sound_csv
from chaos.faults.csv_mutations import csv_text, mutated_csv
from chaos.faults.gzip_mutations import packed
from chaos.lanes import Lane
from chaos.outcomes import Case
from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import read_csv_gz


class MalformedCsv(FileLoads):
    """Malformed CSVs."""

    name = "csv"
    title = "Malformed CSV files"
    each_postgres = 2
    each_bigquery = 40

    def make(self, number: int, seed: str) -> tuple[Case, FileCase, bytes]:
        """A malformed file and what the strict reader finds in it."""
        choice = random.Random(f"{seed}/{self.name}/{number}")
        taxi = strict_taxi(choice.choice(TAXIS))
        text = csv_text(sound_csv(taxi.name, choice.choice(SIZES)))
        kind, content = mutated_csv(text, taxi, choice)
        packing, data = packed(content, choice)
        name = f"{taxi.name}_tripdata_{MONTH}.csv.gz"
        case = Case(self.name, number, packing or kind, " and ".join(self.warehouses(number)))
        return case, FileCase(taxi, MONTH, name, read_csv_gz(data, taxi)), data

    def put(self, lane: Lane, case: FileCase, data: bytes) -> Path:
        """Put the file in the lane's source."""
        path = lane.source / case.taxi.name / case.file_name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path
