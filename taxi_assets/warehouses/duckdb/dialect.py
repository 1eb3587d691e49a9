"""DuckDB's SQL and column types."""

from __future__ import annotations

from typing import Final

from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.warehouses.dialect import Dialect

DIALECT: Final = Dialect(
    column_types=COLUMN_TYPES,
    id_type="VARCHAR",
    id_number="""TRY_CAST('0x' || left("unique_row_id", 15) AS BIGINT)""",
)
