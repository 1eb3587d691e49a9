"""Months, taxis and processes at once, and readers meanwhile: the same tables, and nobody waits without need."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from taxi_assets.errors import WarehouseError
from taxi_assets.months import parse_month_range
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets.warehouses.postgres.locks import exclusive
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.postgres.brakes import copy_brake, wait_until_braked
from taxi_assets_tests.postgres.project import PostgresProject, changes
from taxi_assets_tests.postgres.server import connect
from taxi_assets_tests.project import GREEN, JANUARY, MARCH, YELLOW, processes

MAIN = "green_tripdata"
LOADED_TABLES = [MAIN, f"{MAIN}_2019_01", f"{MAIN}_2019_02"]


def _load(where: tuple[Path, str, str], months: str, taxi: str, result: Connection) -> None:
    """In a child process: load, and tell how it went."""
    outcome = PostgresProject(*where).run(months, get_taxi(taxi), checks=False)
    result.send("" if outcome.success else outcome.error)


def load_at_once(project: PostgresProject, *loads: tuple[str, Taxi]) -> list[str]:
    """Load in as many processes at the same time, and return what went wrong in each."""
    context = processes()
    where = project.folder, project.url, project.schema
    pipes = [context.Pipe() for _ in loads]
    children = [
        context.Process(target=_load, args=(where, months, taxi.name, its))
        for (months, taxi), (_, its) in zip(loads, pipes, strict=True)
    ]
    for child in children:
        child.start()
    results = [mine.recv() for mine, _ in pipes]
    for child in children:
        child.join()
    return results


@contextmanager
def reading(project: PostgresProject, statement: str = f"SELECT count(*) FROM {MAIN}") -> Iterator[psycopg.Connection]:
    """A session that has read, and holds what it read until its transaction ends."""
    with connect(make_conninfo(project.url, application_name="a report"), project.schema) as session:
        session.execute("BEGIN")
        session.execute(statement.encode())
        yield session


def test_twelve_months_and_both_taxis_at_once_all_end_up_whole(project: PostgresProject):
    months = parse_month_range("2019-01...2019-12")
    for taxi in (GREEN, YELLOW):
        for month in months:
            put_sample(project.source, taxi, month, 100 + month.number)
    halves = ("2019-01...2019-06", "2019-07...2019-12")
    assert load_at_once(project, *((half, taxi) for taxi in (GREEN, YELLOW) for half in halves)) == [""] * 4
    for taxi in (GREEN, YELLOW):
        found = project.query(
            "SELECT filename, count(*), count(DISTINCT unique_row_id), count(DISTINCT file_month)"
            f" FROM {taxi.table} GROUP BY filename ORDER BY filename"
        )
        assert found == [(taxi.csv_name(month), 100 + month.number, 100 + month.number, 1) for month in months]
        assert changes(project, "2019-06...2019-07", taxi) == [(0, 0, 0)] * 2, "as one after the other makes them"
    tables = {taxi.table for taxi in (GREEN, YELLOW)}
    tables |= {taxi.month_table(month) for taxi in (GREEN, YELLOW) for month in months}
    assert project.tables() == sorted(tables)


def test_processes_that_load_the_same_month_at_once_all_succeed(loaded: PostgresProject):
    february = loaded.digest(f"{MAIN}_2019_02")
    loaded.put(made_trips(GREEN, JANUARY, 500)[10:])
    assert load_at_once(loaded, *[("2019-01", GREEN)] * 3) == [""] * 3
    assert loaded.query(f"SELECT count(*) FROM {MAIN}_2019_01") == [(490,)]
    assert loaded.digest(f"{MAIN}_2019_02") == february
    assert loaded.tables() == LOADED_TABLES


def test_processes_that_make_the_same_first_month_at_once_all_succeed(project: PostgresProject):
    """Neither the schema nor the main table is there yet, and both are made once."""
    project.put(made_trips(GREEN, JANUARY, 100))
    assert load_at_once(project, *[("2019-01", GREEN)] * 3) == [""] * 3
    assert project.query(f"SELECT count(*) FROM {MAIN}") == [(100,)]
    assert project.tables() == LOADED_TABLES[:2]


def test_a_first_load_of_a_month_waits_for_no_reader(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, MARCH, 5), MARCH)
    with reading(loaded):
        outcome = loaded.run("2019-03", lock_wait_seconds=0.0)
    assert outcome.success
    assert "Waiting" not in outcome.log


def test_a_replacement_waits_for_no_reader_of_another_monthly_table(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, 70))
    with reading(loaded, f"SELECT count(*) FROM {MAIN}_2019_02"):
        outcome = loaded.run(lock_wait_seconds=0.0)
    assert outcome.success
    assert "Waiting" not in outcome.log


def test_a_run_that_changes_nothing_waits_for_no_reader(loaded: PostgresProject):
    with reading(loaded):
        assert changes(loaded, lock_wait_seconds=0.0) == [(0, 0, 0)]


def test_a_replacement_waits_for_a_reader_of_main_and_says_so_while_others_get_through(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, 70))
    outcomes = []
    load = threading.Thread(target=lambda: outcomes.append(loaded.run(checks=False)))
    with reading(loaded) as holder, connect(loaded.url, loaded.schema) as another:
        load.start()
        _wait_until_somebody_waits_for_main(another)
        another.execute("SET statement_timeout = '30s'")
        assert another.execute(f"SELECT count(*) FROM {MAIN}").fetchall() == [(120,)]
        _wait_until_somebody_waits_for_main(another)  # a next attempt, before which the load tells whom it waits for
        assert load.is_alive(), "the reader that came later got through before the load"
        holder.execute("COMMIT")
        load.join()
    (outcome,) = outcomes
    assert outcome.success
    waiting = re.search(r"Waiting for (\S+), which is in use by (.+) \(\d+ s so far\)", outcome.log)
    assert waiting is not None
    assert waiting[1] == MAIN
    assert re.search(r"a report of postgres \(pid \d+, for \d+ s\)", waiting[2])
    assert loaded.query(f"SELECT count(*) FROM {MAIN}_2019_01") == [(70,)]


def test_a_reader_that_stays_too_long_is_named_in_one_sentence(loaded: PostgresProject):
    before = loaded.digest(MAIN)
    loaded.put(made_trips(GREEN, JANUARY, 70))
    with reading(loaded):
        outcome = loaded.run(checks=False, lock_wait_seconds=0.1)
    assert re.search(
        rf"{MAIN} was in use by a report of postgres \(pid \d+, for \d+ s\) for \d seconds", outcome.failure
    )
    assert outcome.failure.endswith("end it, or raise the PostgreSQL resource's lock_wait_seconds, then run again.")
    assert "\n" not in outcome.failure
    assert loaded.digest(MAIN) == before
    assert changes(loaded) == [(10, 0, 0)]
    assert loaded.tables() == LOADED_TABLES


def test_a_load_of_the_same_month_that_takes_too_long_is_named_in_one_sentence(loaded: PostgresProject):
    busy = loaded.postgres()
    with (
        busy.get_connection() as connection,
        busy._exclusive(connection, f"{MAIN}_2019_01", logging.getLogger(__name__)),
    ):
        outcome = loaded.run(lock_wait_seconds=0.1)
        assert "green_tripdata_2019_01 was in use by another load: " in outcome.failure
        assert loaded.run("2019-02").success
    assert loaded.run().success


def test_a_reader_sees_whole_months_while_they_are_replaced(loaded: PostgresProject):
    seen, months = set(), set()
    done = threading.Event()

    def read() -> None:
        with connect(loaded.url, loaded.schema) as session:
            while not done.is_set():
                seen.add(session.execute(f"SELECT count(*), sum(tip_amount)::int FROM {MAIN}").fetchall()[0])
                months.update(session.execute(f"SELECT count(*) FROM {MAIN}_2019_01".encode()).fetchall()[0])
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


def _wait_until_somebody_waits_for_main(session: psycopg.Connection) -> None:
    deadline = time.monotonic() + 20
    statement = f"SELECT count(*) FROM pg_locks WHERE relation = '{MAIN}'::regclass AND NOT granted"
    while session.execute(statement.encode()).fetchall() == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_table_of_an_asset_that_others_use_is_waited_for_no_longer_than_allowed(project: PostgresProject):
    log = logging.getLogger(__name__)
    project.postgres().write("fares", pd.DataFrame({"fare": [1.5]}), None, description="Fares.", log=log)
    with reading(project, "SELECT * FROM fares"):
        with pytest.raises(WarehouseError, match=r"end the sessions that use the table, .*, then run again\.$"):
            project.postgres(lock_wait_seconds=0.1).write(
                "fares", pd.DataFrame({"cents": [150]}), None, description="Fares.", log=log
            )
        assert project.query("SELECT fare FROM fares") == [(1.5,)]
    project.postgres().write("fares", pd.DataFrame({"cents": [150]}), None, description="Fares.", log=log)
    assert project.query("SELECT cents FROM fares") == [(150,)]


def wait_until_asked_for_lock(session: psycopg.Connection) -> None:
    """Wait until a load has asked whether it may have the lock that another one holds."""
    deadline = time.monotonic() + 20
    asked = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE application_name = 'taxi_assets' AND query LIKE '%advisory%' AND pid <> pg_backend_pid()"
    )
    while not session.execute(asked).fetchone():
        assert time.monotonic() < deadline, "no load asked for the lock"
        time.sleep(0.01)


def land_corrected_month(project: PostgresProject, rows: int) -> None:
    """Land another January by a run of its own, as another process does."""
    project.put(made_trips(GREEN, JANUARY, rows))
    assert PostgresProject(project.folder, project.url, project.schema).run(stages=("raw",), checks=False).success


def test_a_file_that_is_replaced_while_its_load_waits_is_loaded_as_it_is_now(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, 70))
    assert loaded.run(stages=("raw",), checks=False).success
    with ThreadPoolExecutor(1) as pool:
        with (
            connect(loaded.url, loaded.schema) as other,
            exclusive(other, loaded.schema, f"{MAIN}_2019_01", wait_seconds=0, log=logging.getLogger(__name__)),
        ):
            load = pool.submit(lambda: loaded.run(stages=("month", "main")))
            wait_until_asked_for_lock(other)
            land_corrected_month(loaded, 80)
        outcome = load.result()
    assert outcome.success, outcome.error
    assert loaded.query(f"SELECT count(*) FROM {MAIN}_2019_01") == [(80,)]
    assert outcome.materialized("postgres/green_tripdata_month")["2019-01"]["dagster/row_count"] == 80


def test_a_file_that_is_replaced_while_it_is_loaded_is_loaded_again(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, 70))
    assert loaded.run(stages=("raw",), checks=False).success
    with ThreadPoolExecutor(1) as pool:
        with copy_brake(loaded) as session:
            load = pool.submit(lambda: loaded.run(stages=("month", "main")))
            wait_until_braked(session)
            land_corrected_month(loaded, 80)
        outcome = load.result()
    assert outcome.success, outcome.error
    assert "green_tripdata_2019-01.csv.gz was replaced while it was read: reading it again" in outcome.log
    assert loaded.query(f"SELECT count(*) FROM {MAIN}_2019_01") == [(80,)]
