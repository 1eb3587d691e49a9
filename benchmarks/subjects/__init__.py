"""Lists the subjects in the order of the page. A subject is a function that measures and returns a section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.harness import Bench
from benchmarks.report import Section
from benchmarks.subjects import backfills, bigquery, feed, growth, high_volume, load, memory, orchestration, postgres

SUBJECTS: Final[Mapping[str, Callable[[Bench], Section]]] = {
    "load": load.measure,
    "growth": growth.measure,
    "memory": memory.measure,
    "feed": feed.measure,
    "high_volume": high_volume.measure,
    "orchestration": orchestration.measure,
    "backfills": backfills.measure,
    "postgres": postgres.measure,
    "bigquery": bigquery.measure,
}
