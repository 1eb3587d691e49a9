"""Spark reads the lake, and what it has listed stays as it was, however often months are replaced meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import pytest

from environments.installers import python_of
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.lake.test_examples import example
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

ENVIRONMENT: Final = PROJECT / ".venv-spark"
READER: Final = Path(__file__).with_name("spark_reader.py")
VERSIONS: Final = ((60, "1.11"), (4_000, "2.22"), (500, "3.33"))

pytestmark = [
    pytest.mark.skipif(not python_of(ENVIRONMENT).exists(), reason="there is no Spark: run make test-spark"),
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java, which Spark needs"),
]


@contextmanager
def spark(table: Path, code: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """A process of Spark that has run the code: where it is told to read, and where it answers."""
    command = [python_of(ENVIRONMENT), READER, table, code]
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(python_of(ENVIRONMENT))}
    environment.pop("PYTHONPATH", None)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdin, process.stdout
        process.stdin.close()
        process.stdout.read()


def put(project: LakeProject, rows: int, tip: str) -> None:
    for month in (JANUARY, FEBRUARY):
        trips = made_trips(GREEN, month, rows)
        for trip in trips:
            trip["tip_amount"] = tip
        project.put(trips, month)
        project.load(month)


def answer(answers: IO[str]) -> Any:
    return json.loads(answers.readline())


def test_spark_reads_the_lake_while_months_are_replaced(project: LakeProject) -> None:
    put(project, *VERSIONS[0])
    with spark(project.root / GREEN.table, example("pyspark", str(project.root))) as (orders, answers):
        shown = "".join(iter(answers.readline, "ready\n"))
        assert "PULocationID" in shown
        for listed, replaced in zip(VERSIONS, (*VERSIONS[1:], VERSIONS[0]), strict=True):
            orders.write("read\n")
            orders.flush()
            assert answers.readline() == "listed\n"
            put(project, *replaced)
            orders.write("go on\n")
            orders.flush()
            rows, tip = listed
            assert sorted(answer(answers)) == [[month, tip, rows] for month in ("2019-01-01", "2019-02-01")]
            assert answer(answers) == {
                "unique_row_id": "string",
                "total_amount": "decimal(14,4)",
                "file_month": "date",
            }
