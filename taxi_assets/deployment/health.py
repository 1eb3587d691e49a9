"""Whether a service of docker-compose.yml works: ``python -m taxi_assets.deployment.health code|webserver|daemon``.

The exit code is 0 if it does. A container asks every few seconds, so this module imports neither Dagster nor what a
question does not need: an answer takes a tenth to a quarter of a second of a core, and Dagster's own commands take
more than two. The settings come from the service's environment variables, as docker-compose.yml sets them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

DAEMONS: Final = frozenset(
    {
        "ASSET",
        "BACKFILL",
        "EVENT_LOG_CONSUMER",
        "FRESHNESS_DAEMON",
        "MONITORING",
        "QUEUED_RUN_COORDINATOR",
        "SCHEDULER",
        "SENSOR",
    }
)
"""The daemons that Dagster starts with the settings of deploy/dagster.yaml, by the names of their heartbeats."""

_HOST: Final = "127.0.0.1"
_SECONDS: Final = 5
# Each daemon reports every 30 seconds, unless a single step of its work takes longer.
_HEARTBEAT_SECONDS: Final = 300
_RECENT_HEARTBEATS: Final = """
SELECT "daemon_type" FROM "daemon_heartbeats"
WHERE "timestamp" > now() AT TIME ZONE 'UTC' - make_interval(secs => %s)
"""

Settings = Mapping[str, str]


def code_server_answers(settings: Settings) -> bool:
    """Whether the code server has loaded the definitions and accepts calls.

    Args:
        settings: With its port, ``DAGSTER_GRPC_PORT``.
    """
    import grpc  # noqa: PLC0415
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # noqa: PLC0415
    from grpc_health.v1.health_pb2_grpc import HealthStub  # noqa: PLC0415

    with grpc.insecure_channel(f"{_HOST}:{settings['DAGSTER_GRPC_PORT']}") as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def webserver_answers(settings: Settings) -> bool:
    """Whether the UI answers.

    Args:
        settings: With its port, ``DAGSTER_WEBSERVER_PORT``.
    """
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415

    connection = HTTPConnection(_HOST, int(settings["DAGSTER_WEBSERVER_PORT"]), timeout=_SECONDS)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == 200  # noqa: PLR2004
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def daemons_report(settings: Settings) -> bool:
    """Whether each of ``DAEMONS`` has lately reported to the metadata database.

    Args:
        settings: With the database: ``DAGSTER_POSTGRES_HOST``, ``_PORT``, ``_DATABASE``, ``_USER`` and ``_PASSWORD``.
    """
    # dagster-postgres needs it in any case, and it is imported in a third of the time that psycopg takes.
    import psycopg2  # noqa: PLC0415

    try:
        connection = psycopg2.connect(
            host=settings["DAGSTER_POSTGRES_HOST"],
            port=settings["DAGSTER_POSTGRES_PORT"],
            dbname=settings["DAGSTER_POSTGRES_DATABASE"],
            user=settings["DAGSTER_POSTGRES_USER"],
            password=settings["DAGSTER_POSTGRES_PASSWORD"],
            connect_timeout=_SECONDS,
        )
    except psycopg2.OperationalError:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(_RECENT_HEARTBEATS, (_HEARTBEAT_SECONDS,))
            return {name for (name,) in cursor.fetchall()} >= DAEMONS
    except (psycopg2.OperationalError, psycopg2.errors.UndefinedTable):
        # The server stops, or no daemon has ever run with this database.
        return False
    finally:
        connection.close()


_CHECKS: Final[Mapping[str, Callable[[Settings], bool]]] = {
    "code": code_server_answers,
    "webserver": webserver_answers,
    "daemon": daemons_report,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a service and return the exit code: 0 if it works, else 1."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.deployment.health", description=__doc__)
    parser.add_argument("service", choices=_CHECKS)
    service: str = parser.parse_args(arguments).service
    works = _CHECKS[service](os.environ)
    print(f"{service} works" if works else f"{service} does not work (yet)")
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main())
