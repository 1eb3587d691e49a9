"""uv and pip: their commands, and what their lines say about the progress."""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from environments.errors import InstallationError
from environments.pip_settings import variables_for_uv

VARIABLE: Final = "TAXI_INSTALLER"
"""The variable that names the installer: ``uv`` or ``pip``. Without it, uv is used if it is on the PATH."""

Command = Sequence[str]


class Installer(ABC):
    """A program that makes environments and installs packages.

    Attributes:
        name: Its name.
        variables: Its environment variables.
    """

    name: str
    variables: Mapping[str, str]

    @abstractmethod
    def make(self, python: Path) -> Command:
        """The command that makes the environment with this Python; other files in its folder stay."""

    @abstractmethod
    def install(self, arguments: Sequence[str]) -> Command:
        """The command that installs into the environment.

        Args:
            arguments: Constraints and requirements as pip and uv both read them.
        """

    @abstractmethod
    def hear(self, line: str) -> None:
        """Take in a line that it has written."""

    @abstractmethod
    def doing(self) -> str:
        """What it does now, in a few words."""


class Uv(Installer):
    """uv, which downloads several packages at once, and installs all at the end."""

    name = "uv"

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.variables = {**variables_for_uv(), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
        self._downloads: dict[str, str] = {}
        self._doing = "choosing versions"

    def make(self, python: Path) -> Command:
        """The command; uv's environments have no pip, which `install` adds."""
        return [self._program, "venv", "--no-project", "--allow-existing", "--python", str(python), str(self._folder)]

    def install(self, arguments: Sequence[str]) -> Command:
        """The command. With pip, as the standard library's environments have it, because users and steps use it."""
        return [self._program, "pip", "install", "--python", str(python_of(self._folder)), *arguments, "pip"]

    def hear(self, line: str) -> None:
        """Take in a line."""
        if found := re.match(r" *Downloading (\S+) \(([\d.]+)(\S+)\)", line):
            self._downloads[found[1]] = f"{found[2]} {found[3]}"
        elif found := re.match(r" *Downloaded (\S+)", line):
            self._downloads.pop(found[1], None)
        elif found := re.match(r" *Building (\S+)", line):
            self._doing = f"building {found[1]}"
        elif found := re.match(r" *Resolved (\d+) packages?", line):
            self._doing = f"looking after {found[1]} packages"
        elif found := re.match(r" *Prepared (\d+) packages?", line):
            self._doing = f"installing {found[1]} packages"

    def doing(self) -> str:
        """What it does now."""
        if not self._downloads:
            return self._doing
        name, size = next(iter(self._downloads.items()))
        others = len(self._downloads) - 1
        return f"downloading {name} ({size})" + (f" and {others} more" if others else "")


class Pip(Installer):
    """pip, which downloads one package after the other, and then installs them in an order that it states."""

    name = "pip"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NO_COLOR": "1"}
        self._doing = "starting"
        self._order: Sequence[str] = ()
        self._packages_before = 0

    def make(self, python: Path) -> Command:
        """The command of the standard library."""
        return [str(python), "-m", "venv", str(self._folder)]

    def install(self, arguments: Sequence[str]) -> Command:
        """The command of the environment's pip."""
        return [str(python_of(self._folder)), "-m", "pip", "install", "--progress-bar", "off", *arguments]

    def hear(self, line: str) -> None:
        """Take in a line."""
        if found := re.match(r" *Downloading ([^\s/]+?)-\d\S* \((.+)\)", line):
            self._doing = f"downloading {found[1].replace('_', '-')} ({found[2]})"
        elif found := re.match(r" *(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            self._doing = f"looking for {found[1]}"
        elif found := re.match(
            r" *((?:Installing|Preparing|Building|Getting|Checking) [\w ]+?)(?: \(.*\))?:? started", line
        ):
            self._doing = found[1][0].lower() + found[1][1:]
        elif found := re.match(r" *Installing collected packages: (.+)", line):
            self._order = found[1].split(", ")
            self._packages_before = packages_in(self._folder)

    def doing(self) -> str:
        """What it does now; pip does not say which package it installs, but the environment's folder does."""
        if not self._order:
            return self._doing
        # A package's folder is there before its modules are compiled, which takes most of the time.
        number = min(max(packages_in(self._folder) - self._packages_before, 1), len(self._order))
        return f"installing {self._order[number - 1]} ({number} of {len(self._order)})"


def installer(folder: Path) -> Installer:
    """The installer to use for an environment.

    Raises:
        InstallationError: The one that the variable names does not exist.
    """
    program = uv_program()
    return Uv(program, folder) if program else Pip(folder)


def uv_program() -> str | None:
    """Path of the program uv, if it is to be used.

    Raises:
        InstallationError: The variable names it, but it does not exist, or names something else.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "uv", "pip"):
        raise InstallationError(f"{VARIABLE} is {wanted}: set it to uv or pip, or unset it.")
    program = shutil.which("uv") if wanted != "pip" else None
    if wanted == "uv" and program is None:
        raise InstallationError(f"{VARIABLE} is uv, but there is no uv on the PATH: install it, or unset {VARIABLE}.")
    return program


def python_of(folder: Path) -> Path:
    """The Python of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def packages_in(folder: Path) -> int:
    """Number of packages in an environment."""
    return sum(1 for pattern in ("lib/python*", "Lib") for _ in folder.glob(f"{pattern}/site-packages/*.dist-info"))
