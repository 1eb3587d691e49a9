"""Whether a service answers a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2
import psycopg

HOST: Final = "127.0.0.1"

_SECONDS: Final = 5


def postgres_answers(port: int, *, database: str, user: str, password: str) -> bool:
    """Whether the server accepts a connection to the database."""
    try:
        psycopg.connect(
            host=HOST, port=port, dbname=database, user=user, password=password, connect_timeout=_SECONDS
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def code_server_answers(port: int) -> bool:
    """Whether the code server has loaded the code and accepts calls."""
    # gRPC takes a moment to import, and the other questions don't need it.
    import grpc  # noqa: PLC0415
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # noqa: PLC0415
    from grpc_health.v1.health_pb2_grpc import HealthStub  # noqa: PLC0415

    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def webserver_answers(port: int) -> bool:
    """Whether the UI answers."""
    try:
        return httpx2.get(f"http://{HOST}:{port}/server_info", timeout=_SECONDS).is_success
    except httpx2.HTTPError:
        return False


def daemons_are_well(webserver_port: int) -> bool:
    """Whether all daemons that the instance requires have reported to it lately, as the webserver knows."""
    query = "{ instance { daemonHealth { allDaemonStatuses { healthy required } } } }"
    try:
        answer = httpx2.post(f"http://{HOST}:{webserver_port}/graphql", json={"query": query}, timeout=_SECONDS)
        answer.raise_for_status()
    except httpx2.HTTPError:
        return False
    data = answer.json()["data"]
    if data is None:
        return False
    statuses: list[Mapping[str, Any]] = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(status["healthy"] for status in statuses if status["required"])
