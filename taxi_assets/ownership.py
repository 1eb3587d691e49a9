"""How this project knows what it has made itself, so that it changes and deletes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COMMENT_PREFIX: Final = "taxi_assets: "
"""How the comment or description of each of our tables and views begins, in every warehouse."""

MADE_BY: Final[Mapping[str, str]] = {"made_by": "taxi_assets"}
"""Label of our bucket and dataset in Google Cloud, and metadata of each of our objects."""


def is_ours(marks: Mapping[str, str] | None) -> bool:
    """Whether a bucket's or dataset's labels, or an object's metadata, say that this project made it."""
    return MADE_BY.items() <= dict(marks or {}).items()
