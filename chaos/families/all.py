"""All families, in the order in which they are run, and their shares of the cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chaos.families.crashes_bigquery import CrashesInBigQuery
from chaos.families.crashes_duckdb import CrashesInDuckDB
from chaos.families.crashes_postgres import CrashesInPostgres
from chaos.families.malformed_csv import MalformedCsv
from chaos.families.malformed_parquet import MalformedParquet
from chaos.families.source_faults import SourceFaults
from chaos.running import Family


@dataclass(frozen=True)
class Entry:
    """A family and what it takes.

    Attributes:
        make: Makes it, from the names of the warehouses that are there.
        share: Its part of all cases.
        needs: The warehouse without which it is skipped, if any.
    """

    make: Callable[[Sequence[str]], Family]
    share: float
    needs: str = "duckdb"


FAMILIES: Mapping[str, Entry] = {
    "crash-duckdb": Entry(lambda _: CrashesInDuckDB(), 0.05),
    "crash-postgres": Entry(lambda _: CrashesInPostgres(), 0.03, needs="postgres"),
    "crash-bigquery": Entry(lambda _: CrashesInBigQuery(), 0.005, needs="bigquery"),
    "source": Entry(lambda _: SourceFaults(), 0.055),
    "parquet": Entry(MalformedParquet, 0.26),
    "csv": Entry(MalformedCsv, 0.6),
}


def shares(cases: int, names: Sequence[str]) -> Mapping[str, int]:
    """How many cases each of these families has where there are so many in all."""
    whole = sum(FAMILIES[name].share for name in names)
    return {name: max(round(cases * FAMILIES[name].share / whole), 1) for name in names}
