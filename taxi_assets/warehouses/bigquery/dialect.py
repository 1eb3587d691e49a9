"""BigQuery's SQL and column types."""

from __future__ import annotations

from typing import Final

from taxi_assets.sql import Quoting
from taxi_assets.warehouses.dialect import Dialect


def _backticks(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(text: str) -> str:
    """A text in single quotes, with escaped backslashes, quotes and line ends."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


DIALECT: Final = Dialect(
    column_types={"integer": "INT64", "decimal": "NUMERIC", "timestamp": "DATETIME", "text": "STRING"},
    id_type="STRING",
    # NUMERIC, because the sum over a month is too large for INT64.
    id_number="CAST(CAST(CONCAT('0x', SUBSTR(`unique_row_id`, 1, 15)) AS INT64) AS NUMERIC)",
    timestamp_type="DATETIME",
    one_day_later="DATETIME_ADD({}, INTERVAL 24 HOUR)".format,
    quoting=Quoting(_backticks, _literal),
)
