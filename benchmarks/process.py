"""Runs one command in a fresh process, and measures its wall time and its memory peak from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[1]

_SETTINGS_PREFIXES: Final = ("TAXI_", "DAGSTER_", "GCP_", "BIGQUERY_", "STORAGE_")
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_SHOWN_CHARACTERS: Final = 4_000


class BenchmarkError(Exception):
    """A measured process failed, or did not do its work."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended without an error.

    Attributes:
        seconds: Wall time from its start to its end.
        peak_bytes: The largest amount of memory that it held at once (maximum resident set size).
        output: Its standard output.
    """

    seconds: float
    peak_bytes: int
    output: str


def run_python(
    arguments: Sequence[str], settings: Mapping[str, str] | None = None, *, python: str | Path = sys.executable
) -> Finished:
    """Run Python with these arguments in the project's folder. Of the project's settings, only the given ones are set.

    Raises:
        BenchmarkError: It ended with an error.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS_PREFIXES)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the commands are the benchmarks' own
            [python, *arguments],
            cwd=PROJECT,
            env={**environment, **(settings or {})},
            stdout=output,
            stderr=errors,
        )
        try:
            # Unlike Popen.wait, this also returns the resources that this process used.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (output, errors):
            stream.seek(0)
        if process.returncode != 0:
            said = errors.read().decode("utf-8", "replace")[-_SHOWN_CHARACTERS:]
            raise BenchmarkError(f"python {' '.join(arguments)} ended with {process.returncode}:\n{said}")
        return Finished(seconds, usage.ru_maxrss * _RSS_UNIT, output.read().decode("utf-8"))
