"""Installs dlt into an environment of its own, because its requirements must not restrict the project's."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks.harness import CACHE, Bench
from benchmarks.process import PROJECT, run_python

_CONSTRAINTS: Final = PROJECT / "benchmarks" / "constraints-dlt.txt"
_PACKAGES: Final = ("dlt[postgres]", "adbc-driver-postgresql", "duckdb", "pyarrow")


def dlt_python(bench: Bench) -> Path:
    """Return the Python that has dlt. Its environment is created if it is missing or has other versions.

    Raises:
        BenchmarkError: pip could not install dlt.
    """
    environment = CACHE / "dlt-venv"
    python = environment / "bin" / "python"
    installed, wanted = environment / "installed.txt", f"Python {sys.version}\n{_CONSTRAINTS.read_text('utf-8')}"
    if not installed.is_file() or installed.read_text("utf-8") != wanted:
        bench.say("  installing dlt into an environment of its own")
        shutil.rmtree(environment, ignore_errors=True)
        run_python(["-m", "venv", str(environment)])
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run_python([*install, "--constraint", str(_CONSTRAINTS), *_PACKAGES], python=python)
        installed.write_text(wanted, "utf-8")
    return python
