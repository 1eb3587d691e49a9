"""The tables that a statement finds in BigQuery, and the taxis whose statements are looked at."""

from __future__ import annotations

from collections.abc import Mapping

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi, all_taxis, read_taxi
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.statements import external_table, loaded_table
from taxi_assets.warehouses.trip_tables import staging_table, table_columns
from taxi_assets.zones import ZONES_TABLE
from taxi_assets_tests.paths import MADE_TAXI
from taxi_assets_tests.zetasql.running import Columns

DATASET = "a-project.a_dataset"
TAXIS = [*all_taxis().values(), read_taxi("limousine", MADE_TAXI.read_text())]


def tables_of(taxi: Taxi, month: Month, raw: Columns) -> Mapping[str, Columns]:
    """All tables that statements about a month may name, with the raw file's columns in the external table."""
    trips = {column.name: column.type for column in table_columns(taxi, DIALECT)}
    users = {"file_month": "DATE", "a": "INT64"}
    tables = {
        external_table(taxi, month): raw,
        staging_table(taxi, month): trips,
        loaded_table(taxi, month): trips,
        taxi.month_table(month): trips,
        taxi.table: trips,
        "theirs": users,
        "incoming": users,
        ZONES_TABLE: {"LocationID": "INT64", "Borough": "STRING", "Zone": "STRING", "service_zone": "STRING"},
    }
    return {f"{DATASET}.{name}": columns for name, columns in tables.items()}
