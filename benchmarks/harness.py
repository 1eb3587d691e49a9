"""The bench that all subjects share: fresh processes, alternating variants, and a folder for their files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.process import PROJECT, run_python
from benchmarks.scale import Scale

CACHE: Final = PROJECT / ".bench"


@dataclass(frozen=True)
class Measurement:
    """The result of one run of a variant.

    Attributes:
        seconds: The measured time in seconds.
        peak_bytes: The memory peak of the whole process.
        facts: Other results, such as row counts or the seconds of single parts.
    """

    seconds: float
    peak_bytes: int
    facts: Mapping[str, Any]


Variant = Callable[[], Measurement]


class Bench:
    """Measures variants, and keeps their files in a folder that git ignores.

    Attributes:
        scale: Size of the months and number of repetitions.
    """

    def __init__(self, scale: Scale, console: Console) -> None:
        self.scale = scale
        self._console = console

    def say(self, text: str) -> None:
        """Report progress."""
        self._console.print(text, highlight=False)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the same disk as everything else, deleted at the end of the ``with`` block."""
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="scratch-") as folder:
            yield Path(folder)

    def task(
        self,
        name: str,
        *,
        settings: Mapping[str, str] | None = None,
        python: str | Path = sys.executable,
        **arguments: Any,
    ) -> Measurement:
        """Run a task in a fresh process.

        Args:
            name: ``module.function`` in ``benchmarks.tasks``.
            settings: Environment variables, for values that must not be visible among the process's arguments.
            python: The Python that runs it.
            arguments: The function's arguments.

        Raises:
            BenchmarkError: It failed.
        """
        command = ["-m", "benchmarks.tasks", name, json.dumps(arguments, default=str)]
        finished = run_python(command, settings, python=python)
        facts: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
        return Measurement(facts.pop("seconds", finished.seconds), finished.peak_bytes, facts)

    def source(self, taxis: Sequence[str], months: Sequence[str], rows: int | None = None) -> Path:
        """Return a folder, laid out as a source, with those months of those taxis. Each file is made once and kept.

        Args:
            taxis: Names of the taxis.
            months: The months.
            rows: Rows of each file; by default the sample's own numbers.
        """
        made = self.task("files.make_months", cache=CACHE, taxis=taxis, months=months, rows=rows)
        if made.facts["files"]:
            self.say(f"  made {made.facts['files']} files in {made.seconds:.0f} s")
        return Path(made.facts["source"])

    def side_by_side(
        self, variants: Mapping[str, Variant], repetitions: int | None = None
    ) -> dict[str, list[Measurement]]:
        """Measure all variants in turn, in several rounds, so that a slow moment of the machine affects all alike.

        Returns:
            The measurements of each variant, by name and in the order of the rounds.
        """
        rounds = self.scale.repetitions if repetitions is None else repetitions
        results: dict[str, list[Measurement]] = {name: [] for name in variants}
        names = list(variants)
        for turn in range(rounds):
            # Each round starts with another variant, so that none always goes first.
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                measurement = variants[name]()
                results[name].append(measurement)
                self.say(
                    f"  {turn + 1}/{rounds} {name}: {measurement.seconds:.2f} s, "
                    f"{measurement.peak_bytes / 2**20:,.0f} MiB"
                )
        return results


def copy_to_disk(source: Path, target: Path) -> Path:
    """Copy a file and wait until it is on the disk, so that writing it back does not disturb a measurement."""
    shutil.copyfile(source, target)
    with target.open("r+b") as stream:
        os.fsync(stream.fileno())
    return target
