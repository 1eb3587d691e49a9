"""Ctrl-C during a statement of DuckDB ends the program as it does anywhere else, and is not taken for an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import duckdb
import pytest

from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.warehouses.duckdb.connection import translated_errors
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Project

ENDLESS = "range(1_000_000_000_000)"


@contextmanager
def interrupted(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupt whatever the connection does, as Ctrl-C would, until the block is left."""
    is_over = Event()

    def interrupt() -> None:
        while not is_over.wait(0.01):
            connection.interrupt()

    thread = Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class Endless:
    """The tables of a warehouse, each so long that no query over it comes to its end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        with translated_errors(Path("warehouse.duckdb"), f"read {table}"):  # as the warehouses do
            return self.connection.query(f'SELECT "rows".* FROM "{table}" AS "rows", {ENDLESS}')


def test_of_a_report(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.put(made_trips(GREEN, JANUARY, 10))
    assert project.run(checks=False).success
    with (
        duckdb.connect(project.database) as connection,
        interrupted(connection),
        pytest.raises(KeyboardInterrupt),
    ):
        summarize(Endless(connection), "duckdb")


def test_of_a_load() -> None:
    with (
        duckdb.connect() as connection,
        interrupted(connection),
        pytest.raises(KeyboardInterrupt),
        translated_errors(Path("warehouse.duckdb"), "load a month"),
    ):
        connection.execute(f'SELECT sum("range") FROM {ENDLESS}').fetchall()


def test_of_a_statement_that_was_interrupted_by_the_signal_itself() -> None:
    with pytest.raises(KeyboardInterrupt), translated_errors(Path("warehouse.duckdb"), "load a month"):
        raise RuntimeError("Query interrupted")  # as DuckDB's client does


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="something else"), translated_errors(Path("warehouse.duckdb"), "load"):
        raise RuntimeError("something else")
