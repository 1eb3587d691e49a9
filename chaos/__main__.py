"""``python -m chaos``: faults by a seed, a table of what came of them, and docs/reliability.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from chaos.families.all import FAMILIES, shares
from chaos.faults.disks import enter_namespace
from chaos.lanes import Servers, memory_folder, running_servers
from chaos.outcomes import Result, Skipped
from chaos.page import Report, markdown, terminal_table
from chaos.running import run_family

PROJECT = Path(__file__).resolve().parents[1]
CASES = 8_000
"""What two cores do in less than an hour."""
_MOST_LANES = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite, and return the exit code: 0 where everything came out as promised, else 1."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    # Before any thread and any process: disks of the suite's own are mounted where nobody else sees them.
    enter_namespace()
    os.environ.setdefault("TAXI_DBT", "not wanted here")
    # Ended from outside, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start = time.monotonic()
    names = options.only or ([options.case.partition("/")[0]] if options.case else list(FAMILIES))
    parent = memory_folder()
    with (
        tempfile.TemporaryDirectory(prefix="chaos_", dir=parent) as folder,
        running_servers(_needed(names), parent=parent) as servers,
    ):
        # The server's account must get to its files.
        Path(folder).chmod(0o755)
        results, skipped = _run(names, options, Path(folder), servers, console)
    report = Report(results, skipped, options.seed, time.monotonic() - start)
    console.print(terminal_table(report))
    if not options.only and not options.case:
        page = PROJECT / "docs" / "reliability.md" if options.cases >= CASES else Path(options.page)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(report), encoding="utf-8")
        console.print(f"Tried {len(results):,} cases in {report.seconds:.0f} s; written to {page}")
    return 1 if report.failed else 0


def _run(
    names: Sequence[str], options: argparse.Namespace, folder: Path, servers: Servers, console: Console
) -> tuple[list[Result], list[Skipped]]:
    results: list[Result] = []
    skipped: list[Skipped] = []
    for name, count in shares(options.cases, names).items():
        entry = FAMILIES[name]
        if entry.needs in servers.missing:
            skipped.append(Skipped(name, "all", servers.missing[entry.needs]))
            continue
        family = entry.make(servers.warehouses)
        skipped += [Skipped(name, kind, reason) for kind, reason in family.skipped().items()]
        numbers = [int(options.case.partition("/")[2])] if options.case else range(count)
        results += run_family(
            family,
            numbers,
            options.seed,
            folder=folder,
            servers=servers,
            lanes=min(options.lanes, len(numbers)),
            say=lambda line: console.print(line, markup=False),
            tell=lambda result: _tell(result, console),
        )
    return results, skipped


def _tell(result: Result, console: Console) -> None:
    """Show what did not come out as promised, as soon as it is known."""
    if not result.outcome.is_promised:
        line = f"{result.case.name}, {result.case.kind}: {result.outcome.value}: {result.note}"
        console.print(line, markup=False, soft_wrap=True)


def _needed(names: Sequence[str]) -> Sequence[str]:
    """The warehouses whose servers these families use; the crash family of PostgreSQL has servers of its own."""
    if {"csv", "parquet"} & set(names):
        return ["postgres", "bigquery"]
    return [FAMILIES[name].needs for name in names]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", default="1", help="any text; the same seed gives the same faults")
    parser.add_argument("--cases", type=int, default=CASES, help="number of cases, which the families share")
    parser.add_argument("--only", action="append", choices=list(FAMILIES), help="one family; may be given again")
    parser.add_argument("--case", help="one case, such as csv/57")
    parser.add_argument("--lanes", type=int, default=min(os.cpu_count() or 1, _MOST_LANES), help="loads at once")
    parser.add_argument("--page", default=".taxi/chaos/reliability.md", help="where the page of a short run goes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
