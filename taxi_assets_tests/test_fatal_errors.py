"""After a fatal error of DuckDB, the same session goes on with the file opened again."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from taxi_assets.errors import DamagedFileError, UnexpectedContentError, WarehouseError
from taxi_assets.source.raw_files import trip_file
from taxi_assets.trips import staging
from taxi_assets.warehouses.duckdb.connection import could_not_write
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Project

LOG = logging.getLogger(__name__)


def invalidate(project: Project) -> None:
    """Let a checkpoint fail in the middle, after which DuckDB refuses everything."""
    with project.warehouse().connect() as connection:
        connection.execute("CREATE TABLE a_table_more AS SELECT range AS number FROM range(100_000)")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            with pytest.raises(duckdb.FatalException):
                connection.execute("CHECKPOINT")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_session_goes_on_after_one_in_a_load_that_is_explained_by_the_file(
    loaded: Project, monkeypatch: pytest.MonkeyPatch
):
    loaded.put([*made_trips(GREEN, JANUARY, 60), made_trips(GREEN, JANUARY, 1)[0] | {"fare_amount": "abc"}])
    assert loaded.run(stages=("raw",), checks=False).success
    file = loaded.trip_source().current(trip_file(GREEN, JANUARY))
    transaction = staging.transaction

    @contextmanager
    def then_invalidated(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        with transaction(connection):
            yield
        invalidate(loaded)

    with loaded.warehouse().session(LOG):
        monkeypatch.setattr(staging, "transaction", then_invalidated)
        with pytest.raises(UnexpectedContentError, match="“abc” is not a number"):
            loaded.warehouse().load_month(GREEN, JANUARY, file, LOG)
        assert loaded.warehouse().profile_month(GREEN, JANUARY, "main", LOG).rows == 60


def test_the_session_goes_on_after_one_in_a_measurement(loaded: Project):
    with loaded.warehouse().session(LOG):
        invalidate(loaded)
        with pytest.raises(WarehouseError, match="could not measure green_tripdata"):
            loaded.warehouse().profile_month(GREEN, JANUARY, "main", LOG)
        assert loaded.warehouse().profile_month(GREEN, JANUARY, "main", LOG).rows == 60


def test_a_raw_file_that_can_t_be_read_is_not_taken_for_a_disk_that_can_t_be_written() -> None:
    """DuckDB has one class of errors for both, and only the second keeps a staging table from being dropped."""
    unreadable, full = duckdb.IOException("Unsupported converted type (1)"), duckdb.IOException("Could not write file")
    damaged, failed = DamagedFileError("The file is damaged."), WarehouseError("The disk is full.")
    damaged.__cause__, failed.__cause__ = unreadable, full
    assert not could_not_write(damaged)
    assert could_not_write(failed)
