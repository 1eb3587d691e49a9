"""BigQuery's types of columns."""

from __future__ import annotations

from typing import Final

from taxi_assets.taxis import Kind

ID_TYPE: Final = "STRING"
COLUMN_TYPES: Final[dict[Kind, str]] = {
    "integer": "INT64",
    "decimal": "NUMERIC",
    "timestamp": "DATETIME",
    "text": "STRING",
}
