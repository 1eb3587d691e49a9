"""Installs the emulators into an environment of their own, and chooses its Python and its emulator of BigQuery.

The emulators need libraries in versions that conflict with the project's, so they have a virtual environment of their
own, which is created once. Of the two emulators of BigQuery, local-bigquery is closer to the service but needs Python
3.13; without it, bqemulator runs on the Python that runs this code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from emulators.errors import EmulatorError

PYTHON_VARIABLE: Final = "TAXI_EMULATORS_PYTHON"
"""The variable that names the Python for the emulators' environment."""

FOLDER: Final = Path(__file__).resolve().parents[1] / ".venv-emulators"

_CONSTRAINTS: Final = Path(__file__).parent / "constraints"
_STORAGE: Final = "gcp-storage-emulator"


@dataclass(frozen=True)
class BigQueryEmulator:
    """An emulator of BigQuery that can be installed.

    Attributes:
        name: Name of its package, and of its constraints file.
        launcher: File in ``emulators/servers`` that starts it.
        pythons: Versions of Python that its constraints were tested with.
        packages: Packages to install for it.
    """

    name: str
    launcher: str
    pythons: tuple[tuple[int, int], ...]
    packages: tuple[str, ...]

    @property
    def constraints(self) -> Path:
        """The file of the tested versions."""
        return _CONSTRAINTS / f"{self.name}.txt"


EMULATORS: Final = (
    BigQueryEmulator("local-bigquery", "bigquery_local.py", ((3, 13),), ("local-bigquery", "pytz")),
    BigQueryEmulator(
        "bqemulator",
        "bigquery_bqemulator.py",
        ((3, 11), (3, 12)),
        ("bqemulator", "numpy", "pytz"),
    ),
)


@dataclass(frozen=True)
class Environment:
    """An installed environment.

    Attributes:
        python: Its Python.
        bigquery: The emulator of BigQuery in it.
    """

    python: Path
    bigquery: BigQueryEmulator


def environment(say: Callable[[str], None] = print) -> Environment:
    """Return the emulators' environment. It is created if it is missing or has other versions.

    Args:
        say: Gets each line about the progress.

    Raises:
        EmulatorError: It could not be created.
    """
    FOLDER.mkdir(exist_ok=True)
    with FileLock(FOLDER / ".lock"):
        return _installed() or _install(say)


def _installed() -> Environment | None:
    try:
        noted = (FOLDER / ".installed").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    for emulator in EMULATORS:
        if noted == _note(emulator) and _python().exists():
            return Environment(_python(), emulator)
    return None


def _install(say: Callable[[str], None]) -> Environment:
    reasons = []
    for emulator in EMULATORS:
        for python in _pythons(emulator):
            say(f"Installing {_STORAGE} and {emulator.name} into {FOLDER.name} (half a minute, some 500 MB, once)")
            reason = _try_to_install(emulator, python)
            if reason is None:
                return Environment(_python(), emulator)
            say(f"{emulator.name} can't be installed with {python}: {reason}")
            reasons.append(f"{emulator.name}: {reason}")
    found = "; ".join(reasons) or "no Python 3.11, 3.12 or 3.13 was found"
    raise EmulatorError(
        f"The emulators could not be installed into {FOLDER} ({found}): name a Python 3.13 (or 3.11, 3.12) that can "
        f"reach a package index in {PYTHON_VARIABLE}."
    )


def _try_to_install(emulator: BigQueryEmulator, python: Path) -> str | None:
    """Install into the folder; return None if it worked, else the reason why not."""
    for entry in FOLDER.iterdir():
        if entry.name != ".lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    pip = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [str(python), "-m", "venv", str(FOLDER)],
        [*pip, "--constraint", str(emulator.constraints), _STORAGE, *emulator.packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            lines = [line for line in done.stderr.strip().splitlines() if "ERROR" in line or not done.stdout]
            return lines[-1].strip() if lines else f"exit code {done.returncode}"
    (FOLDER / ".installed").write_text(_note(emulator), encoding="utf-8")
    return None


def _note(emulator: BigQueryEmulator) -> str:
    return f"{emulator.name}\n{emulator.constraints.read_text(encoding='utf-8')}"


def _python() -> Path:
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _pythons(emulator: BigQueryEmulator) -> Iterator[Path]:
    """Pythons of the versions that the emulator was tested with, the most likely first, at most one of each version."""
    seen = set()
    for candidate in _candidates(emulator):
        version = _version(candidate)
        if version in emulator.pythons and version not in seen:
            seen.add(version)
            yield candidate


def _candidates(emulator: BigQueryEmulator) -> Iterator[Path]:
    if os.environ.get(PYTHON_VARIABLE):
        yield Path(os.environ[PYTHON_VARIABLE])
        return
    yield Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for major, minor in emulator.pythons:
        if found := shutil.which(f"python{major}.{minor}"):
            yield Path(found)
        yield from sorted(pyenv.glob(f"{major}.{minor}*/bin/python"), reverse=True)


def _version(python: Path) -> tuple[int, int] | None:
    """The version of a Python, or None if it can't create virtual environments."""
    code = "import ensurepip, sys, venv; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    major, minor = done.stdout.split()
    return int(major), int(minor)
