"""The results as a page: Markdown for the documentation, and the same table for the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks.machine import machine
from chaos.families.judging import UNPROVABLE
from chaos.outcomes import MEANINGS, Outcome, Result, Skipped

TITLES = {
    "crash-duckdb": "Crash faults: DuckDB",
    "crash-postgres": "Crash faults: PostgreSQL",
    "crash-bigquery": "Crash faults: BigQuery's emulator",
    "source": "Faults of a web server",
    "parquet": "Malformed Parquet files",
    "csv": "Malformed CSV files",
}
_HEADER = ("", "tried", *(outcome.value for outcome in Outcome))
_MOST_SHOWN = 40
_FOLDERS = re.compile(r"(?:/[^/\s]+)*/chaos_[^\s,;:)]*")


@dataclass(frozen=True)
class Report:
    """What a run of the suite came to.

    Attributes:
        results: What became of each case.
        skipped: What could not be tried on this machine.
        seed: What the cases were made from.
        seconds: How long it took.
    """

    results: Sequence[Result]
    skipped: Sequence[Skipped]
    seed: str
    seconds: float

    @property
    def failed(self) -> Sequence[Result]:
        """The cases that did not come out as promised."""
        return [result for result in self.results if not result.outcome.is_promised]


def terminal_table(report: Report) -> Table:
    """The figures of each family and kind, for the terminal."""
    table = Table(*_HEADER)
    for family, results in _by_family(report.results):
        table.add_section()
        table.add_row(*_row(TITLES[family], results), style="bold")
        for kind, of_kind in _by_kind(results):
            table.add_row(*_row(f"  {kind}", of_kind))
    table.add_section()
    table.add_row(*_row("all", report.results), style="bold")
    return table


def markdown(report: Report) -> str:
    """The whole page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    yield "# Reliability"
    yield ""
    yield (
        f"Written by `make chaos`, which makes {len(report.results):,} faults from the seed `{report.seed}`, loads "
        f"months while they happen, and judges what came of each. It took {report.seconds / 60:.0f} minutes on the "
        "machine below."
    )
    yield ""
    yield from _table(_HEADER, [_row(TITLES[family], results) for family, results in _by_family(report.results)])
    yield ""
    yield from _table(("outcome", "meaning"), [(outcome.value, MEANINGS[outcome]) for outcome in Outcome])
    yield ""
    yield "## What is promised"
    yield ""
    yield _PROMISED.strip()
    yield ""
    yield "## What is not promised"
    yield ""
    yield _NOT_PROMISED.strip()
    yield ""
    yield from _unprovable(report)
    yield "## Figures by kind of fault"
    for family, results in _by_family(report.results):
        yield ""
        yield f"### {TITLES[family]}"
        yield ""
        yield _HOW[family]
        yield ""
        yield from _table(_HEADER, [_row(kind, of_kind) for kind, of_kind in _by_kind(results)])
    yield ""
    yield "## Cases that did not come out as promised"
    yield ""
    yield from _failed(report)
    yield ""
    yield "## The machine, and how to repeat a case"
    yield ""
    yield from _table(("", ""), [*machine().items(), ("seed", f"`{report.seed}`")])
    yield ""
    yield (
        "`make chaos SEED=… CASES=…` chooses other faults, or fewer of them. "
        f"`python -m chaos --seed {report.seed} --case csv/57` repeats one case."
    )
    if report.skipped:
        yield ""
        yield "Not tried on this machine:"
        yield ""
        yield from _table(
            ("family", "fault", "reason"), [(TITLES[each.family], each.kind, each.reason) for each in report.skipped]
        )


_PROMISED = """
- A file is loaded exactly, or refused with one sentence that names the file and the line or row and column, or what is
  wrong with the file as a whole. The judge is a strict parser that shares no code with the project.
- After a refusal the warehouse holds what it held before, and nothing is left behind.
- After a crash a month is the old one or the new one wholly, other months are as they were, and the next load needs no
  help: after a killed process, a full disk, a disk that fails or turns read-only, a power cut, a server that ends,
  restarts or falls silent.
- What lands from a web server is what an honest server has, or nothing, whatever the server sends; a later load
  fetches what is there then. No download goes on without end.
- A damaged file ends neither the process nor the load of other months.
"""
_NOT_PROMISED = """
- A bit that is turned over in a Parquet file without page checksums, so that the file is valid and means something
  else, can only be noticed where the server states an MD5 (as Content-MD5, or as an object store's ETag), or on later
  reads by the SHA-256 in the landing zone's manifest. A CSV is protected by the checksum of gzip.
- The same damaged Parquet bytes that a server sends twice, without any checksum and with pages that have none, are
  taken if they can be read: nothing shows that they were damaged.
- BigQuery reads no times in nanoseconds, which some writers of Parquet have: such a month is refused by its column, and
  loads into DuckDB and PostgreSQL.
- DuckDB rewrites a block of 256 KB with its catalog in place at each checkpoint. A write that ends in the middle of it
  (a power cut at that moment, a limit of the file's size) damages the whole file. Nothing is lost by that, because the
  warehouse can be made again from the landing zone: see [troubleshooting](troubleshooting.md).
- A connection to PostgreSQL that is lost without a sign ends a month's load within minutes. While an asset of the
  user or the zones are written, that is so if the server is lost; if only the one connection is, the keepalives alone
  notice it.
- BigQuery is tried on an emulator, which shows what the project does and not what the service does.
"""

_HOW = {
    "crash-duckdb": (
        "A month is replaced by a corrected version while the fault happens. Then another process reads the "
        "warehouse, and the month is loaded again without a fault."
    ),
    "crash-postgres": "The same with a server of the suite's own, behind a proxy that can cut or stall connections.",
    "crash-bigquery": "The same with emulators of Cloud Storage and BigQuery.",
    "source": (
        "A month is fetched from a server that misbehaves, often beside an older version that has landed before, and "
        "then from an honest one."
    ),
    "parquet": (
        "Apache Arrow, with page checksums verified, and Polars read each file; where they differ, or the first can't "
        "read it, it must be refused. To hold the rows from before the damage is right in any case."
    ),
    "csv": (
        "A strict parser reads each file. Spellings that are unambiguous but not documented, such as a blank beside a "
        "number, may be loaded exactly or refused."
    ),
}


def _unprovable(report: Report) -> Iterator[str]:
    count = sum(UNPROVABLE in result.note for result in report.results)
    if count:
        yield (
            "Damaged Parquet files that were valid, with other values than before, and were loaded as all readers read "
            f"them: {count}. They are counted as exact."
        )
        yield ""


def _failed(report: Report) -> Iterator[str]:
    if not report.failed:
        yield "None."
        return
    shown = report.failed[:_MOST_SHOWN]
    rows = [(each.case.name, each.case.kind, each.outcome.value, _cell(each.note)) for each in shown]
    yield from _table(("case", "fault", "outcome", "what happened"), rows)
    if len(report.failed) > len(shown):
        yield ""
        yield f"And {len(report.failed) - len(shown)} more."


def _cell(text: str) -> str:
    """A text as a cell of a table, without the folders of the run."""
    text = _FOLDERS.sub("…", text)
    return " ".join(text.split()).replace("|", "\\|")[:300]


def _by_family(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    return [(family, found) for family in TITLES if (found := [each for each in results if each.case.family == family])]


def _by_kind(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    kinds = sorted({result.case.kind for result in results})
    return [(kind, [result for result in results if result.case.kind == kind]) for kind in kinds]


def _row(title: str, results: Sequence[Result]) -> tuple[str, ...]:
    tally = Counter(result.outcome for result in results)
    return title, f"{len(results):,}", *(f"{tally[outcome]:,}" for outcome in Outcome)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'|'.join('---' for _ in header)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
