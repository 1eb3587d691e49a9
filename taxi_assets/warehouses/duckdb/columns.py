"""DuckDB's type of ids; those of the other columns are the ones that raw files are read with."""

from __future__ import annotations

from typing import Final

ID_TYPE: Final = "VARCHAR"
