"""Rows are read through the Storage Read API, and otherwise as JSON: the same rows either way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.gcp.unreliable import unreliable
from taxi_assets_tests.project import GREEN, JANUARY

ROWS = 300


@pytest.fixture
def loaded(project: GcpProject) -> GcpProject:
    """A project with a month."""
    project.put(made_trips(GREEN, JANUARY, ROWS))
    assert project.run(checks=False).success
    return project


def read(project: GcpProject, **settings: object) -> tuple[list[tuple[object, ...]], bool]:
    """All rows of the main table as an asset gets them, in the order of their ids, and whether they came as JSON."""
    with unreliable(project.emulators.bigquery) as proxy:
        rows = project.bigquery(endpoint=proxy.address, **settings).read("green_tripdata", None)
        found = rows.order("unique_row_id").fetchall()
        return found, any("/queries/" in path and "rows" in path for _, path in proxy.requests)


@contextmanager
def forbidding_api() -> Iterator[str]:
    """A Storage Read API that allows nobody to read."""

    class Forbidding(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            def refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
                context.abort(
                    grpc.StatusCode.PERMISSION_DENIED, "the user lacks bigquery.readsessions.create permission"
                )
                raise AssertionError

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(2), [Forbidding()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_rows_are_the_same_by_the_storage_read_api_and_as_json(loaded: GcpProject) -> None:
    (streamed, came_as_json), as_json = read(loaded), read(loaded, storage_endpoint=None)
    assert len(streamed) == ROWS
    assert not came_as_json
    assert as_json == (streamed, True)


def test_rows_are_read_as_json_where_the_storage_read_api_is_forbidden(
    loaded: GcpProject, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with forbidding_api() as address:
        rows = read(loaded, storage_endpoint=address)
    assert rows == read(loaded, storage_endpoint=None)
    assert "grant the account the role BigQuery Read Session User" in caplog.text


def test_reading_can_be_left_half_way(loaded: GcpProject) -> None:
    rows = loaded.bigquery().read("green_tripdata", None)
    assert len(rows.limit(3).fetchall()) == 3
    assert len(rows.fetchall()) == ROWS
