"""The main tables under the names by which a dbt project from git knows them.

Such a project says in which database and schema its sources are. What the names of a warehouse can't provide, its
``show_to_dbt`` provides by views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from taxi_assets.taxis import taxi_of_main_table
from taxi_assets.warehouses.kind import SourceTable
from taxi_assets.zones import ZONES_TABLE

OWN_DATABASE: Final = "memory"
"""What dbt calls the database of DuckDB while it reads a project without a file."""


def sources_used(manifest: Mapping[str, Any]) -> Sequence[SourceTable]:
    """The main tables and the zones, as far as a project's models read them, with the names that it gives them."""
    return [
        SourceTable(
            "" if source["database"] in {None, OWN_DATABASE} else source["database"],
            source["schema"],
            source["identifier"],
        )
        for name, source in manifest["sources"].items()
        if any(_is_enabled(manifest, child) for child in manifest["child_map"].get(name, ()))
        and (source["identifier"] == ZONES_TABLE or taxi_of_main_table(source["identifier"]))
    ]


def _is_enabled(manifest: Mapping[str, Any], child: str) -> bool:
    """Whether dbt runs a model or a test: the manifest also has tests of models that are left out."""
    node = manifest["nodes"].get(child)
    return node is not None and bool(node["config"].get("enabled", True))
