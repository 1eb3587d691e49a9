"""Installs dlt into an environment of its own, because its requirements must not restrict the project's."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks.harness import CACHE, Bench
from benchmarks.process import PROJECT, BenchmarkError
from environments.errors import InstallationError
from environments.installers import python_of
from environments.making import make

_CONSTRAINTS: Final = PROJECT / "benchmarks" / "constraints-dlt.txt"
_PACKAGES: Final = ("dlt[postgres]", "adbc-driver-postgresql", "duckdb", "pyarrow")


def dlt_python(bench: Bench) -> Path:
    """Return the Python that has dlt. Its environment is created if it is missing or has other versions.

    Raises:
        BenchmarkError: dlt could not be installed.
    """
    environment = CACHE / "dlt-venv"
    installed, wanted = environment / "installed.txt", f"Python {sys.version}\n{_CONSTRAINTS.read_text('utf-8')}"
    if not installed.is_file() or installed.read_text("utf-8") != wanted:
        shutil.rmtree(environment, ignore_errors=True)
        try:
            make(
                environment,
                _PACKAGES,
                constraints=_CONSTRAINTS,
                what="dlt",
                say=lambda line: bench.say(f"  {line}"),
            )
        except InstallationError as error:
            raise BenchmarkError(str(error)) from error
        installed.write_text(wanted, "utf-8")
    return python_of(environment)
