"""``python -m benchmarks``: measures all subjects, shows the table, and writes it to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import CACHE, Bench
from benchmarks.machine import machine
from benchmarks.page import markdown, terminal_table
from benchmarks.process import PROJECT, BenchmarkError
from benchmarks.scale import FULL, QUICK
from benchmarks.subjects import SUBJECTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks, and return the exit code: 0, or 1 if something could not be measured."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    bench = Bench(QUICK if options.quick else FULL, console)
    start = time.monotonic()
    sections = []
    try:
        for name in options.only or SUBJECTS:
            console.rule(name)
            sections.append(SUBJECTS[name](bench))
    except BenchmarkError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    page = _target(is_whole=not options.quick and not options.only)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(markdown(sections, machine(), bench.scale), encoding="utf-8")
    console.print(terminal_table(sections))
    if not bench.scale.is_full:
        console.print("A quick run with small months: do not compare it with the goals.")
    console.print(f"Measured in {time.monotonic() - start:.0f} s; written to {page}", highlight=False)
    return 0


def _target(*, is_whole: bool) -> Path:
    """Return where to write the page: only a whole run replaces the one in docs/."""
    return (PROJECT / "docs" if is_whole else CACHE) / "benchmarks.md"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small months, measured once: to check that it works")
    parser.add_argument("--only", action="append", choices=list(SUBJECTS), help="one subject; can be repeated")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
