"""Crash faults of BigQuery's emulator: loads that are killed at any request, and answers that are lost."""

from __future__ import annotations

from pathlib import Path

from chaos.families.crashes import CrashFault, Scene, killed_at_a_moment
from chaos.families.crashes_on_servers import CrashesOnServers
from chaos.lanes import Lane, Servers
from chaos.product.killing import die_at_request, lose_answer

_REQUESTS = 60


def _killed_at_a_request(scene: Scene) -> None:
    moment = scene.choice.choice(("before", "after"))
    scene.worker.call(die_at_request, scene.choice.randint(1, _REQUESTS), moment, seconds=20)


def _answer_lost(scene: Scene) -> None:
    number, status = scene.choice.randint(1, _REQUESTS), scene.choice.choice((None, None, 500, 502, 503, 429))
    scene.worker.call(lose_answer, number, status, is_done=scene.choice.random() < 0.7, seconds=20)


FAULTS = (
    CrashFault("killed at a moment", 4, killed_at_a_moment, is_killed=True),
    CrashFault("killed at a request", 10, _killed_at_a_request, is_killed=True),
    CrashFault("an answer lost", 10, _answer_lost),
)


class CrashesInBigQuery(CrashesOnServers):
    """Crash faults while a month is loaded into BigQuery's emulator."""

    name = "crash-bigquery"
    title = "Crash faults: BigQuery's emulator"
    warehouse = "bigquery"
    faults = FAULTS
    rows = 60

    def lane(self, folder: Path, servers: Servers) -> Lane:
        """A lane whose leases end soon after their holders died."""
        lane = super().lane(folder, servers)
        lane.more_settings = {"bigquery": {"lease_seconds": 0.5}}
        lane.renew()
        return lane

    def place(self, lane: Lane) -> str:
        """The dataset."""
        return str(lane.settings["bigquery"]["dataset"])
