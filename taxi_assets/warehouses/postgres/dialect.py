"""PostgreSQL's SQL and column types. Unquoted names are folded to lower case, so the columns' names are lower case."""

from __future__ import annotations

from typing import Final

from taxi_assets.warehouses.dialect import Dialect

DIALECT: Final = Dialect(
    column_types={
        "integer": "integer",
        "decimal": "numeric",
        "timestamp": "timestamp without time zone",
        "text": "text",
    },
    id_type="uuid",
    id_number="CAST(CAST('x' || left(replace(CAST(\"unique_row_id\" AS text), '-', ''), 15) AS bit(60)) AS bigint)",
    spelling=str.lower,
)
