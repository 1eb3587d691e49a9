"""How this project knows its own tables and views, in every warehouse: by how their comment begins."""

from __future__ import annotations

from typing import Final

COMMENT_PREFIX: Final = "taxi_assets: "
