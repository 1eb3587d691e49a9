"""Months, taxis, processes and threads at once: the same tables as one after the other, and patience with others."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pytest

from taxi_assets.errors import WarehouseError
from taxi_assets.source.raw_files import trip_file
from taxi_assets.taxis import Taxi
from taxi_assets.trips import staging
from taxi_assets.warehouses.duckdb.warehouse import DuckDBWarehouse
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, MARCH, YELLOW, Project, processes

LOG = logging.getLogger(__name__)


def _load(folder: Path, months: str, taxi: Taxi, result: Connection) -> None:
    """In a child process: load, and tell how it went."""
    outcome = Project(folder).run(months, taxi)
    result.send("" if outcome.success else outcome.error)


def _hold(database: Path, ready: Connection) -> None:
    """In a child process: read the database, and keep it open until told to let go."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SELECT count(*) FROM green_tripdata").fetchall()
        ready.send("holding")
        ready.recv()


def _come_and_go(database: Path, seconds: float, result: Connection | None = None) -> list[str]:
    """Open and close the warehouse again and again in several threads, and return what went wrong.

    Half of the threads open it once more while they have it open, as the stages of a month do.
    """
    log = logging.getLogger(__name__)
    warehouse = DuckDBWarehouse(database=str(database), lock_wait_seconds=2 * seconds)
    end, failures = time.monotonic() + seconds, []

    def open_and_close(*, twice: bool) -> None:
        while time.monotonic() < end:
            try:
                with warehouse.session(log) if twice else nullcontext(), warehouse.get_connection() as connection:
                    connection.execute("SELECT count(*) FROM green_tripdata").fetchall()
                    time.sleep(0.003)
            except WarehouseError as error:
                failures.append(str(error))
            time.sleep(0.01)

    threads = [threading.Thread(target=open_and_close, kwargs={"twice": bool(number % 2)}) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if result:
        result.send(failures)
    return failures


class Holder:
    """Another process that has the warehouse open, until ``let_go``."""

    def __init__(self, project: Project) -> None:
        self._mine, its = processes().Pipe()
        self._process = processes().Process(target=_hold, args=(project.database, its), daemon=True)
        self._process.start()
        its.close()
        assert self._mine.recv() == "holding"

    def let_go(self) -> None:
        self._mine.send("let go")
        self._process.join()


WAITING = re.compile(r"Waiting for (\S+), which is in use by (.+) \(")


@contextmanager
def when_logged(project: Project, message: re.Pattern[str], act: Callable[[], None]) -> Iterator[None]:
    """Act as soon as a run of the project has logged such a message; without one, at the end."""
    is_over = threading.Event()

    def has_come() -> bool:
        records = project.instance.get_run_records()
        return any(
            message.search(entry.user_message)
            for record in records
            for entry in project.instance.all_logs(record.dagster_run.run_id)
        )

    def watch() -> None:
        while not (is_over.wait(0.05) or has_come()):
            continue
        act()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def load_at_once(project: Project, *loads: tuple[str, Taxi]) -> list[str]:
    """Load in as many processes at the same time, and return what went wrong in each."""
    context = processes()
    pipes = [context.Pipe() for _ in loads]
    children = [
        context.Process(target=_load, args=(project.folder, months, taxi, its))
        for (months, taxi), (_, its) in zip(loads, pipes, strict=True)
    ]
    for child in children:
        child.start()
    results = [mine.recv() for mine, _ in pipes]
    for child in children:
        child.join()
    return results


@pytest.fixture
def four_samples(project: Project) -> Project:
    """A source with four months of green and two of yellow trips."""
    for month in (JANUARY, FEBRUARY, MARCH, APRIL):
        put_sample(project.source, GREEN, month, 3_000)
    for month in (JANUARY, FEBRUARY):
        put_sample(project.source, YELLOW, month, 3_000)
    return project


@pytest.fixture
def one_after_the_other(four_samples: Project, tmp_path: Path) -> dict[str, tuple[int, int]]:
    """Digests of the main tables that a single process makes, one month at a time."""
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other", address=four_samples.address)
    for months, taxi in (("2019-01...2019-04", GREEN), ("2019-01...2019-02", YELLOW)):
        assert other.run(months, taxi).success
    return {taxi.table: other.digest(taxi.table) for taxi in (GREEN, YELLOW)}


def test_processes_that_load_at_once_make_the_same_tables(
    four_samples: Project, one_after_the_other: dict[str, tuple[int, int]]
):
    results = load_at_once(
        four_samples,
        ("2019-01...2019-02", GREEN),
        ("2019-03...2019-04", GREEN),
        ("2019-02...2019-03", GREEN),
        ("2019-01...2019-02", YELLOW),
    )
    assert results == [""] * 4
    assert {table: four_samples.digest(table) for table in one_after_the_other} == one_after_the_other


def test_processes_that_load_the_same_month_at_once_all_succeed(loaded: Project):
    february = loaded.rows("green_tripdata_2019_02")
    loaded.put(made_trips(GREEN, JANUARY, 500)[10:])
    assert load_at_once(loaded, *[("2019-01", GREEN)] * 3) == [""] * 3
    assert len(loaded.rows("green_tripdata_2019_01")) == 490
    assert loaded.rows("green_tripdata_2019_02") == february


@pytest.mark.parametrize("at_once", ["1", "4"])
def test_months_at_once_in_one_run_make_the_same_tables(
    four_samples: Project,
    one_after_the_other: dict[str, tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    at_once: str,
):
    monkeypatch.setenv("TAXI_MONTHS_AT_ONCE", at_once)
    assert four_samples.run("2019-01...2019-04").success
    assert four_samples.digest("green_tripdata") == one_after_the_other["green_tripdata"]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_number_of_months_at_once_that_is_none_is_refused(
    loaded: Project, monkeypatch: pytest.MonkeyPatch, value: str
):
    monkeypatch.setenv("TAXI_MONTHS_AT_ONCE", value)
    outcome = loaded.run()
    assert f"TAXI_MONTHS_AT_ONCE is “{value}”: set it to a whole number, 1 or more." in outcome.failure


def test_runs_at_once_in_threads_of_one_process_all_succeed(
    four_samples: Project, one_after_the_other: dict[str, tuple[int, int]]
):
    loads = [("2019-01...2019-04", GREEN), ("2019-02...2019-03", GREEN), ("2019-01...2019-02", YELLOW)]
    outcomes = []

    def load(months: str, taxi: Taxi) -> None:
        project = Project(four_samples.folder)
        outcomes.append(project.run(months, taxi))
        project.instance.dispose()

    threads = [threading.Thread(target=load, args=arguments) for arguments in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.success for outcome in outcomes] == [True] * 3
    assert {table: four_samples.digest(table) for table in one_after_the_other} == one_after_the_other


def test_a_load_waits_for_a_reader_and_says_so(loaded: Project):
    loaded.put(made_trips(GREEN, JANUARY, 70))
    holder = Holder(loaded)
    with when_logged(loaded, WAITING, holder.let_go):
        outcome = loaded.run()
    assert outcome.success
    waiting = WAITING.search(outcome.log)
    assert waiting is not None
    assert waiting[1] == str(loaded.database)
    assert "python" in waiting[2]
    assert len(loaded.rows("green_tripdata_2019_01")) == 70


def test_a_reader_that_stays_too_long_is_named_in_one_sentence(loaded: Project):
    before = loaded.rows("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 70))
    holder = Holder(loaded)
    outcome = loaded.run(lock_wait_seconds=0.2)
    holder.let_go()
    assert not outcome.success
    assert "\n" not in outcome.failure
    assert f"{loaded.database} was in use by" in outcome.failure
    assert "close it, or raise lock_wait_seconds of the resource duckdb, then run again." in outcome.failure
    assert loaded.rows("green_tripdata") == before
    assert loaded.run().success


def test_a_connection_of_the_same_process_with_other_settings_is_not_called_damage(loaded: Project):
    with (
        duckdb.connect(loaded.database),
        pytest.raises(WarehouseError, match=r"is open in this process with other settings .*: close that connection"),
    ):
        loaded.warehouse().connect()


def test_a_load_that_waited_in_vain_does_not_wait_again(loaded: Project):
    openings = []

    class Counting(DuckDBWarehouse):
        def connect(self, *arguments: Any, **names: Any) -> duckdb.DuckDBPyConnection:
            openings.append(arguments)
            return super().connect(*arguments, **names)

    current = loaded.trip_source().current(trip_file(GREEN, JANUARY))
    holder = Holder(loaded)
    with pytest.raises(WarehouseError, match="was in use by"):
        Counting(database=str(loaded.database), lock_wait_seconds=0).load_month(GREEN, JANUARY, current, LOG)
    holder.let_go()
    assert len(openings) == 1


def test_a_reader_in_the_same_process_sees_whole_months_while_they_are_replaced(loaded: Project):
    """DuckDB gives a reader the state before or after a merge, never one between its statements."""
    seen, months = set(), set()
    done = threading.Event()

    def read() -> None:
        with loaded.warehouse().get_connection() as connection:
            while not done.is_set():
                seen.add(connection.execute("SELECT count(*), sum(tip_amount) FROM green_tripdata").fetchall()[0])
                months.update(connection.execute("SELECT count(*) FROM green_tripdata_2019_01").fetchall()[0])
            months.add("to the end")

    reader = threading.Thread(target=read)
    reader.start()
    for tip in ("1", "2", "3"):
        loaded.put([trip | {"tip_amount": tip} for trip in made_trips(GREEN, JANUARY, 100)[int(tip) :]])
        assert loaded.run(checks=False).success
    done.set()
    reader.join()
    february = 30
    assert seen <= {(120, 30 + february), *((160 - tip, (100 - tip) * tip + february) for tip in (1, 2, 3))}
    assert "to the end" in months
    assert months <= {60, 99, 98, 97, "to the end"}


def test_threads_of_several_processes_open_the_file_in_turn(loaded: Project):
    mine, its = processes().Pipe()
    other = processes().Process(target=_come_and_go, args=(loaded.database, 5.0, its))
    other.start()
    assert _come_and_go(loaded.database, 5.0) == []
    assert mine.recv() == []
    other.join()


def test_a_file_that_is_replaced_while_it_is_loaded_is_loaded_again(loaded: Project, monkeypatch: pytest.MonkeyPatch):
    """Another run lands a corrected month between two statements of the load."""
    loaded.put(made_trips(GREEN, JANUARY, 70))
    assert loaded.run(stages=("raw",)).success
    transaction, landed = staging.transaction, []

    @contextmanager
    def then_replaced(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        with transaction(connection):
            yield
        if not landed:
            loaded.put(made_trips(GREEN, JANUARY, 80))
            landed.append(Project(loaded.folder).run(stages=("raw",)))

    monkeypatch.setattr(staging, "transaction", then_replaced)
    outcome = loaded.run(stages=("month", "main"))
    assert landed[0].success
    assert outcome.success, outcome.error
    assert "was replaced while it was read: reading it again" in outcome.log
    assert len(loaded.rows("green_tripdata_2019_01")) == 80


def test_a_raw_file_that_is_not_merged_yet_is_not_purged(loaded: Project, monkeypatch: pytest.MonkeyPatch):
    """Another run lands a corrected month while the one before is merged."""
    loaded.put(made_trips(GREEN, JANUARY, 70))
    merge = DuckDBWarehouse.merge_month

    def then_replaced(*arguments: Any) -> Any:
        merged = merge(*arguments)
        loaded.put(made_trips(GREEN, JANUARY, 80))
        assert Project(loaded.folder).run(stages=("raw",), checks=False).success
        return merged

    monkeypatch.setattr(DuckDBWarehouse, "merge_month", then_replaced)
    outcome = loaded.run(keep_raw_files=False, checks=False)
    assert outcome.success, outcome.error
    assert "is kept, because another one has landed" in outcome.log
    monkeypatch.undo()
    assert loaded.run(stages=("month", "main"), checks=False).success
    assert len(loaded.rows("green_tripdata_2019_01")) == 80
