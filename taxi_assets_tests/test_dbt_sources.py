"""dbt's sources are written from the definitions of the taxis and the zones."""

from __future__ import annotations

import yaml

from taxi_assets.dbt.sources import SOURCES_FILE, sources_yml
from taxi_assets.taxis import all_taxis
from taxi_assets.zones import ZONES_TABLE


def test_the_file_is_as_make_dbt_sources_writes_it() -> None:
    assert SOURCES_FILE.read_text("utf-8") == sources_yml(), "run “make dbt-sources”"


def test_it_describes_the_main_table_of_every_taxi_and_the_zones() -> None:
    (source,) = yaml.safe_load(sources_yml())["sources"]
    tables = {table["name"]: table for table in source["tables"]}
    assert list(tables) == [*(taxi.table for taxi in all_taxis().values()), ZONES_TABLE]
    for taxi in all_taxis().values():
        described = {column["name"]: column["description"] for column in tables[taxi.table]["columns"]}
        assert tables[taxi.table]["description"] == taxi.description
        assert {column.name.lower(): column.description for column in taxi.columns}.items() <= described.items()
