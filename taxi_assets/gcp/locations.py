"""Which locations of a bucket BigQuery can read from a dataset's location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_MULTI_REGIONS: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "us": (("us-", "nam4"), ()),
    # London and Zurich are in Europe, but not in BigQuery's multi-region EU.
    "eu": (("europe-", "eur4"), ("europe-west2", "europe-west6")),
}
"""Beginnings of the names of the regions and pairs of regions of a multi-region, and the names that are not of it."""


def can_read(dataset: str, bucket: str) -> bool:
    """Whether a dataset's external tables can read files of a bucket: in the same location, or in a region of it."""
    dataset, bucket = dataset.lower(), bucket.lower()
    beginnings, others = _MULTI_REGIONS.get(dataset, ((), ()))
    return bucket == dataset or (bucket.startswith(tuple(beginnings)) and bucket not in others)
