"""How this project knows what it has made in Google Cloud: buckets, datasets and objects.

Tables and views are known by their descriptions, as in every warehouse (``taxi_assets.ownership``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MADE_BY: Final[Mapping[str, str]] = {"made_by": "taxi_assets"}
"""Label of our bucket and dataset, and metadata of each of our objects."""


def is_ours(marks: Mapping[str, str] | None) -> bool:
    """Whether a bucket's or dataset's labels, or an object's metadata, say that this project made it."""
    return MADE_BY.items() <= dict(marks or {}).items()
