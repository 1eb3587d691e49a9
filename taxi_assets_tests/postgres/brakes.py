"""Stops a load on the server at a chosen moment, for as long as a test needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.postgres.server import connect

_COPY, _SWAP = 7_001, 7_002
_PATIENCE_SECONDS = 20.0


@contextmanager
def copy_brake(project: PostgresProject, *, after_rows: int = 20) -> Iterator[psycopg.Connection]:
    """While the block runs, loads stop within COPY once that many rows have arrived; yields the session that holds.

    A column of a user's whose default waits for a lock does it, since COPY computes it row by row.
    """
    project.query("CREATE SEQUENCE IF NOT EXISTS copied")
    project.query(
        f"CREATE OR REPLACE FUNCTION brake() RETURNS int LANGUAGE plpgsql SET search_path FROM CURRENT AS $$"
        f" BEGIN IF nextval('copied') > {after_rows} THEN PERFORM pg_advisory_xact_lock_shared({_COPY}); END IF;"
        " RETURN 1; END $$"
    )
    if not project.query(
        "SELECT 1 FROM pg_attribute WHERE attrelid = 'green_tripdata'::regclass AND attname = 'brake'"
    ):
        project.query("ALTER TABLE green_tripdata ADD COLUMN brake int, ALTER COLUMN brake SET DEFAULT brake()")
    project.query("SELECT setval('copied', 1)")
    with _holding(project, _COPY) as session:
        yield session


@contextmanager
def swap_brake(project: PostgresProject) -> Iterator[psycopg.Connection]:
    """While the block runs, loads stop within the swap, when the old month is dropped and the new one not yet there.

    It needs a server of one's own, since it affects the whole database.
    """
    project.query(
        "CREATE OR REPLACE FUNCTION swap_brake() RETURNS event_trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM pg_advisory_xact_lock_shared({_SWAP}); END $$"
    )
    project.query("DROP EVENT TRIGGER IF EXISTS swap_brake")
    project.query(
        "CREATE EVENT TRIGGER swap_brake ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION swap_brake()"
    )
    with _holding(project, _SWAP) as session:
        yield session


def wait_until_braked(session: psycopg.Connection) -> list[int]:
    """Wait until a load has stopped, and return the process ids of those that have."""
    return _wait_for_sessions(session, sql.SQL("locktype = 'advisory' AND objid IN ({}, {})").format(_COPY, _SWAP))


def wait_until_locked_out(session: psycopg.Connection, table: str) -> None:
    """Wait until another session waits for a table that this one has locked."""
    _wait_for_sessions(session, sql.SQL("relation = {}::regclass").format(table))


def _wait_for_sessions(session: psycopg.Connection, condition: sql.Composed) -> list[int]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    statement = sql.SQL("SELECT pid FROM pg_locks WHERE NOT granted AND {}").format(condition)
    while time.monotonic() < deadline:
        waiting = session.execute(statement).fetchall()
        if waiting:
            return [pid for (pid,) in waiting]
        time.sleep(0.01)
    raise AssertionError("no session came to wait")


@contextmanager
def _holding(project: PostgresProject, lock: int) -> Iterator[psycopg.Connection]:
    session = connect(project.url, project.schema)
    session.execute("SELECT pg_advisory_lock(%s)", (lock,))
    try:
        yield session
    finally:
        session.close()
