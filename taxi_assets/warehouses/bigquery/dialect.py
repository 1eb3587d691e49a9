"""How BigQuery writes SQL."""

from __future__ import annotations

from typing import Final

from taxi_assets.sql import Quoting
from taxi_assets.warehouses.dialect import Dialect


def _backticks(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(text: str) -> str:
    """A text in single quotes, in which a backslash would begin something else."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


DIALECT: Final = Dialect(
    column_types={"integer": "INT64", "decimal": "NUMERIC", "timestamp": "DATETIME", "text": "STRING"},
    id_type="STRING",
    # As NUMERIC, since the sum over a month is too large for INT64.
    id_number="CAST(CAST(CONCAT('0x', SUBSTR(`unique_row_id`, 1, 15)) AS INT64) AS NUMERIC)",
    timestamp_type="DATETIME",
    one_day_later="DATETIME_ADD({}, INTERVAL 24 HOUR)".format,
    quoting=Quoting(_backticks, _literal),
)
