"""PostgreSQL's types of columns."""

from __future__ import annotations

from typing import Final, LiteralString

from taxi_assets.taxis import Kind

ID_TYPE: Final = "uuid"
COLUMN_TYPES: Final[dict[Kind, LiteralString]] = {
    "integer": "integer",
    "decimal": "numeric",
    "timestamp": "timestamp without time zone",
    "text": "text",
}
