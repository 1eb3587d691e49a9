"""Which module may import which: nothing upward, nothing in a circle, and what is private of Dagster in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from taxi_assets_tests.paths import PROJECT

PACKAGE = PROJECT / "taxi_assets"

SMALL_TOOLS = {
    "dagster_errors",
    "dagster_home",
    "dagster_internals",
    "errors",
    "files",
    "foreground",
    "ownership",
    "progress",
    "settings",
    "spill",
    "sql",
    "interruptions",
    "last_words",
    "reachability",
    "transactions",
    "waiting",
    "words",
}
PARTS = {"automation", "dbt", "getting_started", "report"}
FLOORS: list[Set[str]] = [
    SMALL_TOOLS,
    {"months", "partitions", "published", "taxis", "zones"},
    {"gcp"},
    {"source"},
    {"trips"},
    {"warehouses"},
    {"assets"},
    PARTS,
    {"defs"},
    {"build", "choices"},
    {"definitions", "demo", "deployment", "dev", "shell"},
]
"""Packages and modules of ``taxi_assets``, each floor above those that it may use."""


def imports(file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, at its top or anywhere else."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if is_module(full) or alias.name.startswith("_") else str(node.module)


def is_module(name: str) -> bool:
    """Whether a name of this package is that of a module, and not of something in a module."""
    path = PROJECT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


IMPORTS: Mapping[str, Set[str]] = {module_name(file): set(imports(file)) for file in sorted(PACKAGE.rglob("*.py"))}
OURS = {module: {name for name in found if name.startswith("taxi_assets.")} for module, found in IMPORTS.items()}
ROOMS = sorted({module.split(".")[1] for module in IMPORTS if "." in module})


def rooms_used_by(room: str) -> set[str]:
    used = {name.split(".")[1] for module, names in OURS.items() if module.split(".")[1:2] == [room] for name in names}
    return used - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_only_the_floors_below_it(room: str) -> None:
    (floor,) = (number for number, rooms in enumerate(FLOORS) if room in rooms)
    below = set[str]().union(*FLOORS[:floor])
    # The small tools, and the modules of the domain, use one another.
    beside = FLOORS[floor] if floor <= 1 else set()
    assert rooms_used_by(room) <= below | beside


def test_no_modules_import_one_another_in_a_circle() -> None:
    TopologicalSorter(OURS).prepare()


def test_what_is_private_of_dagster_is_imported_in_one_module_and_one_of_the_daemon() -> None:
    # What a library exports is in its top-level package: dagster, dagster_dbt, …
    private = re.compile(r"dagster\w*\.")
    found = {module for module, names in IMPORTS.items() if any(private.match(name) for name in names)}
    # Dagster's daemons take a second to import, which no other process needs.
    assert found == {"taxi_assets.dagster_internals", "taxi_assets.deployment.daemon_internals"}


def test_getting_started_uses_small_tools_and_nothing_of_the_taxis() -> None:
    used = rooms_used_by("getting_started")
    assert used
    assert used <= SMALL_TOOLS


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_knows_nothing_of_the_others(part: str) -> None:
    assert rooms_used_by(part).isdisjoint(PARTS)
