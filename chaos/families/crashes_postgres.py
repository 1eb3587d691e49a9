"""Crash faults of PostgreSQL: killed loads and sessions, servers that restart, networks that break or stall."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict

from chaos.families.crashes import CrashFault, Scene, at_a_moment, killed_at_a_moment
from chaos.families.crashes_duckdb import limit_file_size
from chaos.families.crashes_on_servers import CrashesOnServers
from chaos.faults.proxy import Proxy, ProxyFault
from chaos.lanes import Lane, Servers, memory_folder
from chaos.product.killing import die_at_statement
from local_services.postgres import wheel_programs
from taxi_assets_tests.postgres.server import Server

_START_SECONDS = 30.0
_PATIENCE = {"check_seconds": 1.0, "stalled_seconds": 20.0, "abandoned_seconds": 5.0, "connect_timeout_seconds": 5}
"""How soon a lost connection is noticed here: within seconds, where users' loads take a minute or two."""
_FAST, _IMMEDIATE = signal.SIGINT, signal.SIGQUIT


def _lane_of(scene: Scene) -> Lane:
    lane: Lane = scene.settings["lane"]
    return lane


def _server(scene: Scene) -> Server:
    server: Server = _lane_of(scene).extras["server"]
    return server


def _killed_at_a_statement(scene: Scene) -> None:
    moment = scene.choice.choice(("before", "after"))
    scene.worker.call(die_at_statement, scene.choice.randint(1, 60), moment, seconds=20)


def _sessions(scene: Scene) -> list[int]:
    with psycopg.connect(_server(scene).url, autocommit=True) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'taxi_assets'").fetchall()
    return [pid for (pid,) in found]


def _sessions_ended(scene: Scene) -> None:
    with psycopg.connect(_server(scene).url, autocommit=True) as connection:
        for pid in _sessions(scene):
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


def _sessions_killed(scene: Scene) -> None:
    """At which the server ends all other sessions too, and recovers."""
    for pid in _sessions(scene):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself


def _restarted(how: signal.Signals) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        server = _server(scene)
        server.stop(how)
        server.start()

    return act


def _away_for_a_while(scene: Scene) -> None:
    server = _server(scene)
    server.stop(_FAST)
    scene.stack.callback(server.start)


def _through_proxy(effect: Literal["reset", "close", "stall"]) -> Callable[[Scene], None]:
    def arrange(scene: Scene) -> None:
        proxy: Proxy = _lane_of(scene).extras["proxy"]
        direction: Literal["to", "from"] = scene.choice.choice(("to", "to", "from"))
        most = 400_000 if direction == "to" else 12_000
        proxy.has_struck = False
        proxy.drop_all()  # what another case has left open
        proxy.fault = ProxyFault(direction, int(most ** scene.choice.random()), effect)
        # The server's half of a connection that stalls is left alone: the next load must get over it.
        scene.stack.callback(setattr, proxy, "fault", None)

    return arrange


def _server_disk_full(scene: Scene) -> None:
    """No file of the server may grow beyond a limit, from which also its log can suffer."""
    server = _server(scene)
    server.stop(_FAST)
    server.start(largest_file=1024 * 1024 + scene.choice.choice((0, 1024 * 1024)))

    def unlimited() -> None:
        server.stop(_IMMEDIATE)
        server.start()

    scene.stack.callback(unlimited)


def _client_disk_full(scene: Scene) -> None:
    scene.worker.call(limit_file_size, scene.choice.choice((1_000, 10_000, 30_000, 100_000)), seconds=20)


FAULTS = (
    CrashFault("killed at a moment", 20, killed_at_a_moment, is_killed=True),
    CrashFault("killed at a statement", 20, _killed_at_a_statement, is_killed=True),
    CrashFault("session ended", 12, at_a_moment(_sessions_ended)),
    CrashFault("session killed, server recovers", 10, at_a_moment(_sessions_killed)),
    CrashFault("server restarted, mode fast", 6, at_a_moment(_restarted(_FAST))),
    CrashFault("server restarted, mode immediate", 6, at_a_moment(_restarted(_IMMEDIATE))),
    CrashFault("server away", 4, at_a_moment(_away_for_a_while)),
    CrashFault("connection reset", 8, _through_proxy("reset")),
    CrashFault("connection closed", 8, _through_proxy("close")),
    CrashFault("connection stalls", 3, _through_proxy("stall")),
    CrashFault("server's disk full", 5, _server_disk_full),
    CrashFault("client's disk full", 5, _client_disk_full),
)


class CrashesInPostgres(CrashesOnServers):
    """Crash faults while a month is loaded into PostgreSQL."""

    name = "crash-postgres"
    title = "Crash faults: PostgreSQL"
    warehouse = "postgres"
    faults = FAULTS
    rows = 6_500  # a table of more than a megabyte, which is the least that the server's log needs

    def lane(self, folder: Path, servers: Servers) -> Lane:  # noqa: ARG002 - any family's
        """A lane with a server of its own, which may be stopped, and a proxy before it."""
        programs = wheel_programs()
        assert programs is not None  # noqa: S101 - the family is skipped where there is none
        stack = ExitStack()
        place = Path(tempfile.mkdtemp(prefix="chaos_postgres_", dir=memory_folder()))
        server = Server(programs, place, "chaos-of-a-server")
        server.make()
        server.start()
        stack.callback(server.stop, _IMMEDIATE)
        proxy = stack.enter_context(Proxy(server.port))
        lane = super().lane(folder, Servers(postgres=server.url))
        lane.extras = {"server": server, "proxy": proxy, "stack": stack, "folder": place}
        lane.more_settings = {"postgres": _PATIENCE}
        lane.renew()
        return lane

    def settings_with_fault(self, lane: Lane) -> Mapping[str, Any]:
        """The way through the proxy."""
        proxy: Proxy = lane.extras["proxy"]
        server: Server = lane.extras["server"]
        url = lane.settings["postgres"]["url"].replace(f":{server.port}/", f":{proxy.port}/")
        return {**lane.settings["postgres"], "url": url}

    def after_fault(self, lane: Lane) -> None:
        """Wait until the server answers, which may be recovering, and the sessions of the dead load are gone."""
        server: Server = lane.extras["server"]
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(server.url, connect_timeout=2):
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)

    def place(self, lane: Lane) -> str:
        """The server's address."""
        return f"{conninfo_to_dict(lane.settings['postgres']['url'])['host']}:"
