"""Installs the emulators into an environment of their own, and chooses its Python and its emulator of BigQuery.

The emulators need libraries in versions that conflict with the project's, so they have a virtual environment of their
own, which is created once. Of the two emulators of BigQuery, local-bigquery is closer to the service but needs Python
3.13; without it, bqemulator runs on the Python that runs this code.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from emulators.errors import EmulatorError
from environments.errors import InstallationError
from environments.installers import python_of
from environments.making import LOCK, can_make, empty, make, version_of

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


def environment(say: Callable[[str], None] | None = None) -> Environment:
    """Return the emulators' environment. It is created if it is missing or has other versions.

    Args:
        say: Gets each line about the progress; without it, they are shown on the standard output.

    Raises:
        EmulatorError: It could not be created.
    """
    FOLDER.mkdir(exist_ok=True)
    with FileLock(FOLDER / LOCK):
        return _installed() or _install(say)


def _installed() -> Environment | None:
    try:
        noted = (FOLDER / ".installed").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    for emulator in EMULATORS:
        if noted == _note(emulator) and python_of(FOLDER).exists():
            return Environment(python_of(FOLDER), emulator)
    return None


def _install(say: Callable[[str], None] | None) -> Environment:
    reasons = []
    for emulator in EMULATORS:
        for python in _pythons(emulator):
            try:
                return _install_one(emulator, python, say)
            except InstallationError as error:
                reasons.append(f"{emulator.name} with {python}: {error}")
                (say or print)(reasons[-1])
    if reasons:
        raise EmulatorError(f"The emulators could not be installed into {FOLDER}; {' '.join(reasons)}")
    raise EmulatorError(
        f"The emulators could not be installed into {FOLDER}, because no Python 3.11, 3.12 or 3.13 was found that can "
        f"make environments: name one in {PYTHON_VARIABLE}."
    )


def _install_one(emulator: BigQueryEmulator, python: Path, say: Callable[[str], None] | None) -> Environment:
    empty(FOLDER)
    installed = make(
        FOLDER,
        [_STORAGE, *emulator.packages],
        constraints=emulator.constraints,
        python=python,
        what=f"{_STORAGE} and {emulator.name} (some 500 MB, once)",
        say=say,
    )
    (FOLDER / ".installed").write_text(_note(emulator), encoding="utf-8")
    return Environment(installed, emulator)


def _note(emulator: BigQueryEmulator) -> str:
    return f"{emulator.name}\n{emulator.constraints.read_text(encoding='utf-8')}"


def _pythons(emulator: BigQueryEmulator) -> Iterator[Path]:
    """Pythons of the versions that the emulator was tested with, the most likely first, at most one of each version."""
    seen = set()
    for candidate in _candidates(emulator):
        version = version_of(candidate)
        if version in emulator.pythons and version not in seen and can_make(candidate):
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
