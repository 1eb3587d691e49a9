"""Whatever happens to the server, the connection or the file: main is the old month or the new one."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from psycopg import OperationalError, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typing_extensions import override

from taxi_assets.errors import WarehouseUnavailableError
from taxi_assets.warehouses.postgres.locks import exclusive
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse
from taxi_assets.warehouses.postgres.watchdog import watched
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv, put_sample
from taxi_assets_tests.postgres.brakes import copy_brake, swap_brake, wait_until_braked, wait_until_locked_out
from taxi_assets_tests.postgres.project import PostgresProject, changes
from taxi_assets_tests.postgres.proxy import proxy_before
from taxi_assets_tests.postgres.server import Server, connect
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Outcome

MAIN = "green_tripdata"
LOADED_TABLES = [MAIN, f"{MAIN}_2019_01", f"{MAIN}_2019_02"]
NEW_ROWS = 80


@pytest.fixture
def on_own_server(own_server: Server, tmp_path: Path) -> Iterator[PostgresProject]:
    """January and February on a server that the test may stop, and a new January in the source."""
    project = PostgresProject(tmp_path, own_server.url, "trips")
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
    assert project.run("2019-01...2019-02", checks=False).success
    project.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    yield project
    project.query("DROP EVENT TRIGGER IF EXISTS swap_brake")
    project.query("DROP SCHEMA trips CASCADE")


@contextmanager
def loading(project: PostgresProject, **settings: float) -> Iterator[Future[Outcome]]:
    """A load of January that runs meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(lambda: project.run(checks=False, **settings))


def assert_old_and_then_new(project: PostgresProject, outcome: Outcome, before: dict[str, object]) -> None:
    """The load failed in one sentence, main is as it was, and the next load does all without leaving anything."""
    assert not outcome.success
    assert "\n" not in outcome.failure
    assert project.digest(MAIN) == before[MAIN]
    assert project.digest(f"{MAIN}_2019_01") == before[f"{MAIN}_2019_01"]
    assert project.run(stages=("main",), checks=False).materialized(f"postgres/{MAIN}")["2019-01"]["inserted"] in (
        0,
        NEW_ROWS - 60,
    ), "what was left behind is whole or not merged"
    assert project.run().success
    assert project.query(f"SELECT count(*) FROM {MAIN}_2019_01") == [(NEW_ROWS,)]
    assert project.digest(f"{MAIN}_2019_02") == before[f"{MAIN}_2019_02"]
    assert project.tables() == LOADED_TABLES


@pytest.mark.parametrize("brake", [copy_brake, swap_brake])
def test_a_server_that_stops_at_once_keeps_the_old_month(own_server: Server, on_own_server: PostgresProject, brake):
    project = on_own_server
    with brake(project) as session, loading(project) as load:
        before = project.everything()
        wait_until_braked(session)
        own_server.stop(signal.SIGQUIT)
        outcome = load.result()
        own_server.start()
    assert "run again" in outcome.failure
    assert "WarehouseUnavailableError" in outcome.error, "it is worth a retry"
    assert_old_and_then_new(project, outcome, before)


@pytest.mark.parametrize("brake", [copy_brake, swap_brake])
def test_a_connection_that_is_cut_keeps_the_old_month(on_own_server: PostgresProject, brake):
    project = on_own_server
    with brake(project) as session, loading(project) as load:
        before = project.everything()
        for pid in wait_until_braked(session):
            session.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        session.execute("SELECT pg_advisory_unlock_all()")
        outcome = load.result()
    assert "run again" in outcome.failure
    assert "WarehouseUnavailableError" in outcome.error, "it is worth a retry"
    assert_old_and_then_new(project, outcome, before)


@pytest.fixture
def limited_files(own_server: Server) -> Iterator[None]:
    """The server can't let any file grow beyond 2 MiB, as on a full disk."""
    own_server.stop()
    own_server.start(largest_file=2 * 2**20)
    yield
    own_server.stop()
    own_server.start()


def test_a_server_that_can_t_write_keeps_the_old_month(
    on_own_server: PostgresProject, limited_files: None, own_server: Server
):
    project = on_own_server
    before = project.everything()
    put_sample(project.source, GREEN, JANUARY, 20_000)
    outcome = project.run(checks=False)
    assert "could not extend file" in outcome.failure
    assert "\n" not in outcome.failure
    assert project.everything()[MAIN] == before[MAIN]
    project.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    assert project.run().success
    assert project.tables() == LOADED_TABLES


@pytest.mark.parametrize("brake", [True, False], ids=["in the copy", "at once"])
def test_a_statement_timeout_keeps_the_old_month(loaded: PostgresProject, brake: bool):
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    hurried = PostgresProject(
        loaded.folder,
        make_conninfo(loaded.url, options=f"-c statement_timeout={300 if brake else 1}"),
        loaded.schema,
    )
    with copy_brake(loaded):
        before = loaded.everything()
        outcome = hurried.run(checks=False)
    assert "canceling statement due to statement timeout" in outcome.failure
    assert "raise the server's statement_timeout" in outcome.failure
    assert "WarehouseUnavailableError" not in outcome.error, "a retry would meet the same"
    assert_old_and_then_new(loaded, outcome, before)


@pytest.mark.parametrize(("state", "error"), [("40P01", "WarehouseBusyError"), ("53300", "WarehouseUnavailableError")])
def test_what_others_on_the_server_are_the_cause_of_is_worth_a_retry(loaded: PostgresProject, state: str, error: str):
    """As a deadlock, and a server that is full: errors that a user's own trigger raises look the same."""
    before = loaded.digest(MAIN)
    loaded.query(
        "CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'somebody else was quicker' USING ERRCODE = '{state}'; END $$"
    )
    loaded.query(f"ALTER TABLE {MAIN} ADD COLUMN mine int, ALTER COLUMN mine SET DEFAULT refuse()")
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    outcome = loaded.run(checks=False)
    assert "somebody else was quicker" in outcome.failure
    assert error in outcome.error
    assert loaded.digest(MAIN)[0] == before[0]


@pytest.fixture
def restricted(loaded: PostgresProject) -> Iterator[PostgresProject]:
    """The same project for a role that may read and write the tables, but not create any."""
    role, password = f"writer_{loaded.schema}", "s3cret"
    loaded.query(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    loaded.query(f"GRANT USAGE ON SCHEMA {loaded.schema} TO {role}")
    loaded.query(f"GRANT ALL ON ALL TABLES IN SCHEMA {loaded.schema} TO {role}")
    url = make_conninfo(loaded.url, user=role, password=password)
    yield PostgresProject(loaded.folder, url, loaded.schema)
    loaded.query(f"DROP OWNED BY {role}")
    loaded.query(f"DROP ROLE {role}")


def test_a_role_that_may_not_create_tables_is_told_what_to_grant(loaded: PostgresProject, restricted: PostgresProject):
    before = loaded.everything()
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    outcome = restricted.run(checks=False)
    assert "permission denied for schema" in outcome.failure
    assert outcome.failure.endswith(
        "grant the user CREATE on the schema, or set TAXI_POSTGRES_SCHEMA to another schema."
    )
    assert loaded.everything() == before
    restricted.put_zones()
    assert not restricted.run_zones().success
    assert loaded.everything() == before


def test_a_role_that_may_not_create_the_schema_is_told_what_to_grant(restricted: PostgresProject):
    restricted.schema = f"missing_{restricted.schema}"
    outcome = restricted.run(checks=False)
    assert "permission denied for database" in outcome.failure
    assert "TAXI_POSTGRES_SCHEMA" in outcome.failure


def test_a_bad_value_is_named_and_nothing_changes_on_the_server(loaded: PostgresProject):
    before = loaded.everything()
    trips = made_trips(GREEN, JANUARY, 60)
    trips[41]["fare_amount"] = "twelve"
    put_csv(loaded.source, GREEN, JANUARY, csv_bytes(GREEN.header, trips))
    outcome = loaded.run()
    assert "twelve" in outcome.failure
    assert "fare_amount" in outcome.failure
    assert "line 43" in outcome.failure
    assert "\n" not in outcome.failure
    assert {name: loaded.everything()[name] for name in LOADED_TABLES} == {name: before[name] for name in LOADED_TABLES}
    loaded.put(made_trips(GREEN, JANUARY, 60))
    assert changes(loaded) == [(0, 0, 0)]
    assert loaded.everything() == before


def test_a_bad_value_in_the_first_month_ever_leaves_no_trip(project: PostgresProject):
    trips = made_trips(GREEN, JANUARY, 10)
    trips[3]["lpep_pickup_datetime"] = "yesterday"
    project.put(trips)
    assert "yesterday" in project.run().failure
    assert project.query(f"SELECT count(*) FROM {MAIN}") == [(0,)]
    project.put(made_trips(GREEN, JANUARY, 10))
    assert changes(project) == [(10, 0, 0)]
    assert project.tables() == LOADED_TABLES[:2]


def test_nothing_is_left_of_a_month_that_is_removed(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    assert loaded.run(stages=("raw", "month"), checks=False).success
    assert loaded.postgres().remove_month(GREEN, JANUARY, logging.getLogger(__name__)) == 60
    assert loaded.tables() == [MAIN, f"{MAIN}_2019_02"]
    assert changes(loaded) == [(NEW_ROWS, 0, 0)]


def test_a_connection_that_dies_silently_fails_within_seconds_and_the_next_load_takes_its_lock(
    server_url: str, schema: str, tmp_path: Path
):
    parts = conninfo_to_dict(server_url)
    direct = PostgresProject(tmp_path, server_url, schema)
    put_sample(direct.source, GREEN, JANUARY, 40_000)
    with proxy_before(str(parts["host"]), int(parts["port"] or 5432), stalls_after=500_000) as proxy:
        url = make_conninfo(server_url, port=proxy.port)
        cut_off = PostgresProject(tmp_path, url, schema)
        outcome = cut_off.run(checks=False, check_seconds=0.2, connect_timeout_seconds=2)
        assert proxy.has_stalled.is_set()
        assert not outcome.success
        assert "\n" not in outcome.failure
        assert "does not answer (check 3 of 3)" in outcome.log
        # The proxy still holds the server's half, which waits for more rows.
        again = direct.run(checks=False, abandoned_seconds=1.0)
        assert again.success, again.failure
        assert "it is ended, because its client is gone" in again.log
    assert direct.query(f"SELECT count(*) FROM {MAIN}") == [(40_000,)]


@pytest.mark.parametrize("bytes_before", [4_000, 6_000, 8_000])
def test_a_connection_that_alone_is_no_longer_forwarded_fails_within_seconds(
    loaded: PostgresProject, bytes_before: int
):
    """The server still knows it and waits for the statement that the client has sent."""
    parts = conninfo_to_dict(loaded.url)
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    before = loaded.everything()
    with proxy_before(
        str(parts["host"]), int(parts["port"] or 5432), stalls_after=bytes_before, stalls_new_ones=False
    ) as proxy:
        cut_off = PostgresProject(loaded.folder, make_conninfo(loaded.url, port=proxy.port), loaded.schema)
        with ThreadPoolExecutor(1) as pool:
            outcome = pool.submit(
                lambda: cut_off.run(checks=False, check_seconds=0.2, stalled_seconds=2, connect_timeout_seconds=5)
            ).result(60)
        assert proxy.has_stalled.is_set()
    assert "WarehouseUnavailableError" in outcome.error, "it is worth a retry"
    assert_old_and_then_new(loaded, outcome, before)


@pytest.mark.parametrize(
    ("table", "measure"),
    [
        (MAIN, lambda warehouse, log: warehouse.profile_month(GREEN, JANUARY, "main", log)),
        ("taxi_zones", lambda warehouse, log: warehouse.count_zones(log)),
    ],
    ids=["a month", "the zones"],
)
def test_a_check_whose_connection_dies_silently_fails_within_seconds(
    loaded: PostgresProject, table: str, measure: Callable[[PostgresWarehouse, logging.Logger], object]
):
    """It waits for a table when the proxy stops forwarding."""
    loaded.put_zones()
    assert loaded.run_zones().success
    parts = conninfo_to_dict(loaded.url)
    with (
        ThreadPoolExecutor(1) as pool,
        proxy_before(str(parts["host"]), int(parts["port"] or 5432)) as proxy,
        connect(loaded.url, loaded.schema) as session,
        session.transaction(),
    ):
        session.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier(table)))
        url = make_conninfo(loaded.url, port=proxy.port)
        cut_off = loaded.postgres(url=url, check_seconds=0.2, connect_timeout_seconds=2)
        check = pool.submit(measure, cut_off, logging.getLogger(__name__))
        wait_until_locked_out(session, table)
        proxy.has_stalled.set()
        with pytest.raises(WarehouseUnavailableError, match="PostgreSQL could not"):
            check.result(20)


def test_a_statement_that_gets_no_further_is_given_up_and_says_what_it_waits_for(loaded: PostgresProject):
    before = loaded.digest(MAIN)
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    with copy_brake(loaded) as session:
        outcome = loaded.run(checks=False, check_seconds=0.1, stalled_seconds=1.0)
        holder = session.info.backend_pid
    assert re.search(
        rf"could not load {MAIN}_2019_01 at \S+ \(it got no further with a statement for \d+ s; process \d+ waits for "
        rf"Lock advisory, held by process {holder}\): the main table is unchanged; run again",
        outcome.failure,
    )
    assert "WarehouseUnavailableError" in outcome.error, "it is worth a retry"
    assert loaded.digest(MAIN)[0] == before[0]
    assert loaded.run().success


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """Processes that do nothing for the length of the block, and are not dead."""
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("which", ["the load's process", "the whole server"])
def test_a_server_whose_processes_are_stopped_ends_the_load_in_a_sentence(
    own_server: Server, on_own_server: PostgresProject, which: str
):
    project = on_own_server
    settings = {"check_seconds": 0.1, "stalled_seconds": 1.5, "connect_timeout_seconds": 2}
    with copy_brake(project) as session, loading(project, **settings) as load:
        before = project.everything()
        pids = wait_until_braked(session)
        if which == "the whole server":
            pids = [pid for (pid,) in project.query("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
            pids.append(int((own_server.folder / "cluster" / "postmaster.pid").read_text().splitlines()[0]))
        with stopped(pids):
            outcome = load.result(60)
    assert "WarehouseUnavailableError" in outcome.error, "it is worth a retry"
    assert ("did not answer 3 checks" if which == "the whole server" else "got no further") in outcome.failure
    assert_old_and_then_new(project, outcome, before)


def test_what_an_asset_writes_ends_in_a_sentence_if_the_server_falls_silent(loaded: PostgresProject):
    """Its driver waits for a table when the proxy stops forwarding, and can't be interrupted."""
    loaded.put_zones()
    assert loaded.run_zones().success
    parts = conninfo_to_dict(loaded.url)
    with (
        ThreadPoolExecutor(1) as pool,
        proxy_before(str(parts["host"]), int(parts["port"] or 5432)) as proxy,
        connect(loaded.url, loaded.schema) as session,
        session.transaction(),
    ):
        session.execute("LOCK TABLE taxi_zones")
        cut_off = PostgresProject(loaded.folder, make_conninfo(loaded.url, port=proxy.port), loaded.schema)
        run = pool.submit(lambda: cut_off.run_zones(check_seconds=0.2, connect_timeout_seconds=2))
        wait_until_locked_out(session, "taxi_zones")
        proxy.has_stalled.set()
        result = run.result(60)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert "it did not answer 3 checks" in event.step_failure_data.user_failure_data.description


def test_a_load_that_waits_says_whose_load_it_waits_for(loaded: PostgresProject):
    url = make_conninfo(loaded.url, application_name="somebody's load")
    with (
        connect(url, loaded.schema) as other,
        exclusive(other, loaded.schema, f"{MAIN}_2019_01", wait_seconds=0, log=logging.getLogger(__name__)),
    ):
        outcome = loaded.run(checks=False, lock_wait_seconds=0.2)
        pid = other.info.backend_pid
    for text in (outcome.failure, outcome.log):
        assert re.search(rf"another load: somebody's load of \w+ at \S+ \(pid {pid}, idle for \d+ s\)", text), text


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT 1"], ids=["in a transaction", "between two statements"])
def test_a_session_that_a_dead_client_has_left_is_ended(loaded: PostgresProject, statement: str):
    loaded.put(made_trips(GREEN, JANUARY, NEW_ROWS))
    with (
        connect(loaded.url, loaded.schema) as other,
        suppress(OperationalError),
        exclusive(other, loaded.schema, f"{MAIN}_2019_01", wait_seconds=0, log=logging.getLogger(__name__)),
    ):
        other.execute(statement)
        outcome = loaded.run(checks=False, abandoned_seconds=0.5)
        assert outcome.success, outcome.failure
        assert "it is ended, because its client is gone" in outcome.log


def test_a_load_that_takes_long_is_left_alone(server_url: str, schema: str, tmp_path: Path):
    project = PostgresProject(tmp_path, server_url, schema)
    put_sample(project.source, GREEN, JANUARY, 40_000)
    assert project.run(checks=False, check_seconds=0.01).success


def test_a_load_through_a_pooler_is_left_alone(server_url: str, schema: str, tmp_path: Path):
    """The process id that a pooler tells its clients is not one of the server's."""
    parts = conninfo_to_dict(server_url)
    with proxy_before(str(parts["host"]), int(parts["port"] or 5432), is_pooler=True) as proxy:
        project = PostgresProject(tmp_path, make_conninfo(server_url, port=proxy.port), schema)
        put_sample(project.source, GREEN, JANUARY, 40_000)
        outcome = project.run(checks=False, check_seconds=0.01)
    assert outcome.success, outcome.failure


class Messages(logging.Handler):
    """The messages of a watchdog, until there are more than those by which it gives up."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.are_enough = threading.Event()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        if len(self.texts) > 4:
            self.are_enough.set()


@pytest.mark.parametrize(
    ("limit", "answer"),
    [("CONNECTION LIMIT 1", "too many connections for role"), ("NOLOGIN", "is not permitted to log in")],
)
def test_a_server_that_refuses_another_connection_is_not_taken_for_lost(
    restricted: PostgresProject, loaded: PostgresProject, limit: str, answer: str
):
    messages, log = Messages(), logging.getLogger(limit)
    log.addHandler(messages)
    log.setLevel(logging.INFO)
    with restricted.postgres().get_connection() as connection:
        loaded.query(f"ALTER ROLE writer_{loaded.schema} {limit}")
        with watched(connection, restricted.url, "the server", every_seconds=0.01, stalled_seconds=60, log=log):
            assert messages.are_enough.wait(20)
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert all(answer in text for text in messages.texts)
