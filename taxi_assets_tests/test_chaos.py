"""The short form of ``make chaos``: some faults of each family, always the same, must all come out as promised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.families.all import FAMILIES
from chaos.lanes import memory_folder, running_servers
from chaos.outcomes import Outcome, Result
from chaos.running import run_family

SEED = "short"


def outcomes(family: str, cases: int, folder: Path, *warehouses: str) -> Sequence[Result]:
    """What becomes of a family's first cases."""
    entry = FAMILIES[family]
    with running_servers(warehouses, parent=memory_folder()) as servers:
        if entry.needs in servers.missing:
            pytest.skip(servers.missing[entry.needs])
        return run_family(
            entry.make(servers.warehouses),
            range(cases),
            SEED,
            folder=folder,
            servers=servers,
            lanes=1,
            say=lambda line: None,
            tell=lambda result: None,
        )


def require_promised(results: Sequence[Result]) -> None:
    failed = [result for result in results if not result.outcome.is_promised]
    said = "\n".join(f"{r.case.name} ({r.case.kind}): {r.outcome.value}: {r.note}" for r in failed)
    assert not failed, f"python -m chaos --seed {SEED} --case …\n{said}"


@pytest.mark.parametrize(
    ("family", "cases", "warehouses"),
    [
        ("csv", 60, ("postgres",)),
        ("parquet", 30, ("postgres",)),
        ("source", 40, ()),
        ("crash-duckdb", 10, ()),
        ("crash-postgres", 8, ("postgres",)),
    ],
)
def test_faults_come_out_as_promised(family: str, cases: int, warehouses: tuple[str, ...], tmp_path: Path):
    results = outcomes(family, cases, tmp_path, *warehouses)
    require_promised(results)
    assert len(results) == cases
    # A suite that only refuses, or never meets a fault, would prove nothing.
    found = {result.outcome for result in results}
    assert found == {Outcome.EXACT, Outcome.REFUSED}


def test_crashes_in_bigquery_come_out_as_promised(tmp_path: Path):
    require_promised(outcomes("crash-bigquery", 3, tmp_path, "bigquery"))
