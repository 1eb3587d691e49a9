"""Writes dbt/models/sources.yml, by which dbt knows the main tables: ``make dbt-sources``.

The tables and columns are those of the definitions of the taxis and the zones. Run it after a change of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import dagster as dg

from taxi_assets.assets.metadata import column_schema, zones_column_schema
from taxi_assets.dbt.locations import PROFILES
from taxi_assets.taxis import all_taxis
from taxi_assets.warehouses import all_warehouses
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

SOURCES_FILE: Final = PROFILES / "models" / "sources.yml"

_HEAD: Final = """\
# The main tables, which Dagster fills. Written by `make dbt-sources` from the definitions of the taxis and the zones.
version: 2

sources:
  - name: warehouse
    description: Tables that Dagster fills with the published files.
    schema: "{{ target.schema }}"
    tables:
"""


def sources_yml() -> str:
    """The content of the file."""
    # Names and descriptions are the same in every warehouse.
    warehouse = all_warehouses()[0]
    tables = [(taxi.table, taxi.description, column_schema(taxi, warehouse)) for taxi in all_taxis().values()]
    tables.append((ZONES_TABLE, ZONES_DESCRIPTION, zones_column_schema(warehouse)))
    return _HEAD + "".join(line for table in tables for line in _table(*table))


def _table(name: str, description: str, schema: dg.TableSchema) -> Iterator[str]:
    yield f"      - name: {name}\n"
    yield f"        description: {_quoted(description)}\n"
    yield "        columns:\n"
    for column in schema.columns:
        # PostgreSQL folds the names, and the other warehouses don't distinguish case.
        yield f"          - name: {column.name.lower()}\n"
        yield f"            description: {_quoted(column.description or '')}\n"


def _quoted(text: str) -> str:
    """A text in double quotes, which YAML reads as JSON does."""
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    SOURCES_FILE.write_text(sources_yml(), encoding="utf-8")
